# QEMU's "virt" machine with virtualization=on. Flags of the core all code is built for.
BOARD_CPU = cortex-a53+crc
# Its errata, see docs/silicon.md: the compiler keeps them out of what it makes, the linker out of the rest.
BOARD_CPU_FLAGS = -mfix-cortex-a53-835769 -mfix-cortex-a53-843419
BOARD_LDFLAGS = -Wl,--fix-cortex-a53-835769,--fix-cortex-a53-843419
