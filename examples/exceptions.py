"""A guest's own exceptions, seen by EL2 first: mpremote run examples/exceptions.py"""

import struct

import hv

# The guest's kernel: vectors that return at once.
ERET = 0xD69F_03E0
VECTORS = struct.pack("<I124x", ERET) * 16

# And its program, at EL1 like the kernel: three exceptions, of which the kernel could answer one.
PROGRAM = struct.pack(
    "<8I",
    0xD518_C009,  # msr vbar_el1, x9
    0xD503_3FDF,  # isb
    0xD280_0540,  # mov x0, #42
    0xD400_00E1,  # svc #7
    0xAA00_03F4,  # mov x20, x0
    0x0000_0000,  # udf #0
    0xD420_0060,  # brk #3
    0xD400_0022,  # hvc #1
)

vm = hv.VM("exceptions", ram="2M")
cpu = vm.cpu[0]
loaded = vm.load(PROGRAM)
cpu.x[9] = loaded.entry + 0x800
vm.memory[cpu.x[9] : cpu.x[9] + len(VECTORS)] = VECTORS
vm.hvc(imm=1, handler=lambda cpu: hv.STOP)


def svc(cpu, number):
    """Answers system call 7 before the guest's kernel hears of it."""
    if number == 7:
        return cpu.x[0] * 10


def trace(cpu, esr, vector):
    print(f"vector {vector:#x} from {cpu.sysreg['ELR_EL1']:#x}: {hv.explain(esr)}")
    if esr >> 26 == 0x15:
        return svc(cpu, esr & 0xFFFF)  # an int goes to x0; None would leave it to the kernel
    return hv.SKIP  # behind the instruction, or the kernel would return to it for ever


# ARMv8.0 takes these to EL1; from now on they come here first.
vm.trap_el1_exceptions("all", trace)

print(vm.run())
print("the system call gave", cpu.x[20])
