# QEMU's model of it: four cores, and 2 GB, of which what is below the firmware's 76 MB of the first is used.
MACHINE = -machine raspi4b
QEMU_SINCE = 9.0
