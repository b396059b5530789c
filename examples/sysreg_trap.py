"""Answer a guest's system registers: mpremote run examples/sysreg_trap.py"""

import struct

import hv
from hv.regs import HCR_EL2, ID_AA64ISAR0_EL1, SCTLR_EL1

# The guest looks what its core can do, and turns its instruction cache on.
LOOK = struct.pack(
    "<6I",
    0xD538_0600,  # mrs x0, id_aa64isar0_el1
    0xD538_1001,  # mrs x1, sctlr_el1
    0xB274_0021,  # orr x1, x1, #0x1000
    0xD518_1001,  # msr sctlr_el1, x1
    0xD538_1022,  # mrs x2, actlr_el1
    0xD400_0022,  # hvc #1
)

vm = hv.VM("sysreg", ram="2M")
cpu = vm.cpu[0]
vm.load(LOOK)
vm.hvc(imm=1, handler=lambda cpu: hv.STOP)

# Which registers trap is in the VM's own HCR_EL2: identification with TID3, writes of SCTLR_EL1 and its
# like with TVM, ACTLR_EL1 with TACR, which is set from the start.
hcr = HCR_EL2(vm.el2["HCR_EL2"])
hcr.TID3 = hcr.TVM = 1
vm.el2["HCR_EL2"] = int(hcr)
print(hcr)


@vm.sysreg("ID_AA64ISAR0_EL1")
def features(cpu, value):
    seen = ID_AA64ISAR0_EL1(ID_AA64ISAR0_EL1.read())
    seen.AES = 0  # the guest is not to know
    return int(seen)


@vm.sysreg("SCTLR_EL1")
def control(cpu, value):
    print("the guest writes", SCTLR_EL1(value), "at", hex(cpu.pc))
    return hv.PASS  # as if we had not been asked: the machine does the write


# What needs no thought is a rule: C answers, the guest never waits for Python.
actlr = vm.rule("sysreg", "ACTLR_EL1", "const", 0x42)

print(vm.run())
print("the core has", ID_AA64ISAR0_EL1)
print("the guest sees", ID_AA64ISAR0_EL1(cpu.x[0]))
print(f"ACTLR_EL1 read as {cpu.x[2]:#x}, {actlr.hits} time")
