# SPDX-License-Identifier: MIT
"""The register table against the assembler and known values; no target needed."""

import re
import subprocess

import gen_registers
import pytest

ROWS = gen_registers.rows()
TABLE = {row.name: row for row in ROWS}

# IMPLEMENTATION DEFINED ones of Cortex-A53: the assembler has no names for these.
UNNAMED = {
    "L2CTLR_EL1", "L2ECTLR_EL1", "L2ACTLR_EL1", "CPUACTLR_EL1", "CPUECTLR_EL1", "CPUMERRSR_EL1",
    "L2MERRSR_EL1", "CBAR_EL1",
}  # fmt: skip


def encode(row):
    """The table's view of the instruction that reads the row (or writes it), with Xt = 0 or 31."""
    read = row.access in ("RO", "RW")
    rt = 31 if row.access == "NONE" else 0
    return 0xD500_0000 | read << 21 | row.enc << 5 | rt


def assembly(row):
    """The same for the assembler, by the register's name."""
    if row.access in ("X", "NONE"):
        return row.name.replace("_", " ", 1) + (", x0" if row.access == "X" else "")
    name = gen_registers.generic(row.enc) if row.name in UNNAMED else row.name
    return f"msr {name}, x0" if row.access == "WO" else f"mrs x0, {name}"


def known(value, fields):
    """A value by its fields, as Register.decode shows it."""
    parts = ((name, value >> low & (2 << high - low) - 1) for name, (high, low) in fields.items())
    return " ".join(f"{name}={v if v < 10 else hex(v)}" for name, v in parts if v)


# ---- the table itself


def test_names_and_encodings_are_unique():
    assert len(TABLE) == len(ROWS)
    seen = {}
    for row in ROWS:
        if row.enc:
            seen.setdefault(row.enc, []).append(row.name)
    shared = [names for names in seen.values() if len(names) > 1]
    assert shared == [["DBGDTRRX_EL0", "DBGDTRTX_EL0"]]  # one is read, the other written


def test_encodings_are_the_assemblers(tmp_path):
    rows = [row for row in ROWS if row.enc]
    source = tmp_path / "all.s"
    source.write_text(".arch armv8.7-a+sve+sme\n" + "".join(assembly(r) + "\n" for r in rows))
    run(["aarch64-linux-gnu-as", source, "-o", tmp_path / "all.o"])
    run(["aarch64-linux-gnu-objcopy", "-O", "binary", tmp_path / "all.o", tmp_path / "all.bin"])
    code = (tmp_path / "all.bin").read_bytes()
    assert len(code) == 4 * len(rows)
    wrong = [
        f"{row.name}: {encode(row):#x}, the assembler says {word:#x}"
        for row, word in zip(rows, memoryview(code).cast("I"))
        if word != encode(row)
    ]
    assert not wrong


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_fields_are_in_order_and_apart(row):
    above = 64
    for name, (high, low) in row.fields.items():
        assert above > high >= low >= 0, name
        assert re.fullmatch(r"[A-Za-z]\w*", name)
        above = low


def test_rows_are_well_formed():
    saves = {"NONE", "EL1", "EL2", "FP", "DBG", "PMU", "TIMER", "GIC", "A32"}
    for row in ROWS:
        assert row.access in ("RO", "RW", "WO", "X", "NONE", ""), row.name
        assert row.save in saves, row.name
        assert row.save == "NONE" or row.access == "RW", row.name
        if "_EL" in row.name:  # op1 says which level owns a register
            level = {0: 1, 1: 1, 2: 1, 3: 0, 4: 2}[row.enc >> 11 & 7]
            exceptions = ("SP_EL0", "SP_EL1", "DCZID_EL0", "CTR_EL0")
            assert row.name.endswith(f"_EL{level}") or row.name in exceptions, row.name


def test_a_world_switch_carries_the_el1_state():
    """What of ARMv8.0's EL1&0 state an AArch64 guest can change, and nothing else."""
    translation = "SCTLR TCR TTBR0 TTBR1 MAIR AMAIR CONTEXTIDR PAR"
    exceptions = "VBAR ESR FAR ELR SPSR AFSR0 AFSR1"
    other = "ACTLR CPACR CNTKCTL CSSELR MDSCR TPIDR SP"
    names = {f"{name}_EL1" for name in (translation + " " + exceptions + " " + other).split()}
    names |= {"SP_EL0", "TPIDR_EL0", "TPIDRRO_EL0"}
    assert {row.name for row in ROWS if row.save == "EL1"} == names


def test_the_table_stays_small():
    """In ROM: 16 bytes a row, 4 a field, and the names as qstrs (pointer, hash, length, NUL)."""
    rows = [row for row in ROWS if row.family in (None, row.name)]
    names = {row.name for row in rows} | {field for row in rows for field in row.fields}
    rom = sum(16 + 4 * (len(row.fields) + 1) for row in rows) + sum(len(n) + 12 for n in names)
    assert rom < 30_000


# ---- values known from hardware and from the manuals


KNOWN = [
    # As read on a Cortex-A53 r0p4.
    ("MIDR_EL1", 0x410FD034, "Implementer=0x41 Architecture=0xf PartNum=0xd03 Revision=4"),
    ("MPIDR_EL1", 0x8000_0003, "Aff0=3"),
    ("ID_AA64PFR0_EL1", 0x0100_0222, "GIC=1 EL2=2 EL1=2 EL0=2"),
    ("ID_AA64DFR0_EL1", 0x1030_5106, "CTX_CMPs=1 WRPs=3 BRPs=5 PMUVer=1 DebugVer=6"),
    ("ID_AA64ISAR0_EL1", 0x11120, "CRC32=1 SHA2=1 SHA1=1 AES=2"),
    ("ID_AA64MMFR0_EL1", 0x1122, "SNSMem=1 BigEnd=1 ASIDBits=2 PARange=2"),
    ("CTR_EL0", 0x8444_8004, "CWG=4 ERG=4 DminLine=4 L1Ip=2 IminLine=4"),
    ("ICH_VTR_EL2", 0x90B8_0003, "PRIbits=4 PREbits=4 IDbits=1 A3V=1 nV4=1 TDS=1 ListRegs=3"),
    ("OSLSR_EL1", 0xA, "OSLM1=1 OSLK=1"),
    ("MDCR_EL2", 6, "HPMN=6"),
    ("CNTHCTL_EL2", 3, "EL1PCEN=1 EL1PCTEN=1"),
    # As a hypervisor programs them.
    ("SCTLR_EL2", 0x30C5_183D, "I=1 SA=1 C=1 M=1"),
    ("TCR_EL2", 0x8082_3519, "PS=2 SH0=3 ORGN0=1 IRGN0=1 T0SZ=0x19"),
    ("VTCR_EL2", 0x8002_3558, "PS=2 SH0=3 ORGN0=1 IRGN0=1 SL0=1 T0SZ=0x18"),
    ("VTTBR_EL2", 5 << 48 | 0x4800_0000, "VMID=5 BADDR=0x48000000"),
    ("HCR_EL2", 0x807C_263F, "RW=1 TSW=1 TACR=1 TIDCP=1 TSC=1 TID3=1 TWI=1 BSU=1 FB=1 AMO=1 "
                             "IMO=1 FMO=1 PTW=1 SWIO=1 VM=1"),
    ("CPTR_EL2", 0x33FF, ""),  # the RES1 bits have no name
    ("CPTR_EL2", 0x8010_0400, "TCPAC=1 TTA=1 TFP=1"),
    ("SPSR_EL2", 0x3C5, "D=1 A=1 I=1 F=1 M=5"),
    ("PSTATE", 0x6020_03C9, "Z=1 C=1 SS=1 D=1 A=1 I=1 F=1 M=9"),
    ("ESR_EL2", 0x9383_0005, "EC=0x24 IL=1 ISS=0x1830005"),
    ("MDSCR_EL1", 0x8001, "MDE=1 SS=1"),
    ("DBGBCR0_EL1", 0x1E7, "BAS=0xf PMC=3 E=1"),
    ("DBGWCR3_EL1", 0x1FF7, "BAS=0xff LSC=2 PAC=3 E=1"),
    ("ICH_LR2_EL2", 0x50A0_001B_0000_001B,
     "State=1 Group=1 Priority=0xa0 pINTID=0x1b vINTID=0x1b"),
    ("ICC_SGI1R_EL1", 1 << 40 | 7 << 24 | 0xF, "IRM=1 INTID=7 TargetList=0xf"),
    ("CPACR_EL1", 3 << 20, "FPEN=3"),
    ("DC_CISW", 0xF000_0002, "SetWay=0xf000000 Level=1"),
]  # fmt: skip


@pytest.mark.parametrize("name, value, text", KNOWN)
def test_known_values_decode(name, value, text):
    assert known(value, TABLE[name].fields) == text


# ---- documentation and stubs


def test_generated_text_has_every_register():
    table = "\n".join(gen_registers.markdown())
    assert "| HCR_EL2 | S3_4_C1_C1_0 | RW | EL2 |" in table
    stub = "\n".join(gen_registers.pyi())
    compile(stub, "regs.pyi", "exec")
    assert all(f"\n{name}: " in "\n" + stub for name in TABLE)
