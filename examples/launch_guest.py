"""Launch a guest at EL1 and answer its traps: mpremote run examples/launch_guest.py"""

import hv

vm = hv.VM("demo", ram="16M")
vm.load("hello.elf")

# The transition to EL1: HCR_EL2, SP_EL1, SPSR_EL2 and ELR_EL2; run() does DSB, ISB and eret.
vm.el2["HCR_EL2"] |= 1 << 31  # RW: EL1 is AArch64
cpu = vm.cpu[0]
cpu.pstate = 0x5  # EL1h, interrupts enabled
cpu.sp = vm.symbol("_el1_stack_top")


@vm.hvc(0xC600_0001)
def add(cpu, x1, x2):
    print(f"python: the guest asks for {x1} + {x2}")
    return x1 + x2


@vm.mmio(0x0B00_0000, 0x1000)
def device(cpu, offset, value):
    print("python: device", "read" if value is None else f"write {value:#x}", "at offset", offset)
    return 0xCAFE


print(cpu)
print(vm.run())
