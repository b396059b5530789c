"""EL2's registers by name and by field: mpremote run examples/registers.py"""

import hv
from hv.regs import CNTFRQ_EL0, ESR_EL2, HCR_EL2, MAIR_EL1, MIDR_EL1, SCTLR_EL2

# A register prints as its fields, read when it is printed.
print(MIDR_EL1)
print(SCTLR_EL2)

# Numbers: the whole register, or one field.
print(f"the counter runs at {CNTFRQ_EL0.read() / 1e6} MHz")
print("Cortex-A53" if MIDR_EL1.PartNum == 0xD03 else "another core")

# Writing a field reads, changes and writes; barriers are done for you.
MAIR_EL1.write(0)
MAIR_EL1.Attr3 = 0xFF
print(MAIR_EL1)

# Any encoding has a name, those in the table have two.
print(hv.regs.S3_4_C1_C1_0.name)

# A number seen by a register's fields, without touching the register.
value = HCR_EL2(0)
value.VM = value.RW = 1
print(value, hex(int(value)))
print(ESR_EL2(0x5A00_0007))
print(hv.explain(0x9382_0005))

# What this core does not have raises; what EL2 stands on is refused, unless you insist.
try:
    hv.regs.S3_7_C15_C15_7.read()
except hv.Fault as error:
    print("Fault:", error)
try:
    SCTLR_EL2.M = 0  # write(value, unsafe=True) would do it
except ValueError as error:
    print("ValueError:", error)
