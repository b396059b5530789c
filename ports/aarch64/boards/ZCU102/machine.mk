# QEMU's model of it. Its firmware is QEMU's own PSCI.
MACHINE = -machine xlnx-zcu102,virtualization=on -smp 4 -m 1G
export QEMU_AUDIO_DRV = none# of its DisplayPort
