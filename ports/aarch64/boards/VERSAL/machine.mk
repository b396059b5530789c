# QEMU's model of it, with two Cortex-A72 (the other two of -smp are real-time cores). It hands over a tree of its own.
MACHINE = -machine xlnx-versal-virt -smp 4 -m 1G
