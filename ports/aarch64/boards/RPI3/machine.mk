# QEMU's model of it: 1 GB, of which firmware keeps 64 MB, and four cores, whatever else is asked for.
MACHINE = -machine raspi3b
