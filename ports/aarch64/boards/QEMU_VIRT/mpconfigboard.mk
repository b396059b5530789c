# QEMU's "virt" machine with virtualization=on. Flags of the core all code is built for.
BOARD_CPU = cortex-a53+crc
