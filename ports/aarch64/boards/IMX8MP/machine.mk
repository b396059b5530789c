# QEMU's model of it. Its firmware is QEMU's own PSCI.
MACHINE = -machine imx8mp-evk -smp 4 -m 1G
QEMU_SINCE = 10.0
