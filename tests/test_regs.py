# SPDX-License-Identifier: MIT
"""hv.regs on the target: real registers, present and absent."""

import pytest
from harness import TargetError
from test_regs_table import KNOWN

TAB = b"\t"

ABSENT = """
from hv import regs
absent = []
for name in regs.names():
    register = getattr(regs, name)
    # Reading some changes something: an acknowledge, a word taken from the debug channel.
    if register.access not in ("RW", "RO") or name[:7] in ("ICC_IAR", "DBGDTR_", "DBGDTRR"):
        continue
    try:
        assert 0 <= register.read() < 1 << 64
    except OSError as error:
        assert str(error).startswith(name), error
        absent.append(name)
print(" ".join(absent))
"""


@pytest.mark.parametrize("gic", [2, 3])
def test_every_register_reads_or_raises(boot, gic):
    target = boot(gic=gic)
    absent = set(target.exec(ABSENT, seconds=20).split())
    assert target.repl("1 + 1") == "2"
    interface = {name for name in absent if name[:4] in ("ICC_", "ICH_")}
    if gic == 2:
        assert {"ICC_SRE_EL2", "ICH_HCR_EL2", "ICH_LR0_EL2"} <= interface
    else:
        assert not {"ICC_SRE_EL2", "ICC_PMR_EL1", "ICH_HCR_EL2", "ICH_LR3_EL2"} & interface
    # A Cortex-A53 has 6 breakpoints, 4 watchpoints and 6 event counters. Else nothing is missing
    # but what QEMU leaves out: debug communication, the reset registers of EL2.
    rest = absent - interface
    assert {"DBGBVR6_EL1", "DBGBCR15_EL1", "DBGWVR4_EL1", "PMEVCNTR6_EL0"} <= rest
    assert not {"DBGBVR5_EL1", "DBGWCR3_EL1", "PMEVTYPER5_EL0"} & rest
    left_out = ("DBG", "OSDTR", "OSECCR", "MDCC", "PMEV", "RMR_EL2", "RVBAR_EL2")
    assert not {name for name in rest if not name.startswith(left_out)}


def test_a_register_shows_its_fields(target):
    target.exec("from hv import regs")
    assert target.repl("regs.MIDR_EL1") == (
        "MIDR_EL1 0x410fd034 (Implementer=0x41 Architecture=0xf PartNum=0xd03 Revision=4)"
    )
    assert target.repl("regs.CurrentEL") == "CurrentEL 0x8 (EL=2)"
    assert target.eval("regs.ID_AA64MMFR0_EL1.PARange") == 2
    assert target.eval("int(regs.S3_0_C0_C0_0)") == 0x410F_D034
    # A register without fields. QEMU's Cortex-A53 has had 0 here, and the hardware's 0x100 since 8.1.
    assert target.repl("regs.REVIDR_EL1") in ("REVIDR_EL1 0x0", "REVIDR_EL1 0x100")


def test_values_decode_as_the_table_says(target):
    target.exec("from hv import regs")
    for name, value, text in KNOWN:
        assert target.eval(f"regs.{name}.decode({value})") == text, name


def test_fields_are_written_one_by_one(target):
    target.exec("from hv.regs import CNTKCTL_EL1, MAIR_EL1")
    target.exec("CNTKCTL_EL1.write(0); CNTKCTL_EL1.EVNTI = 9; CNTKCTL_EL1.EL0PCTEN = True")
    assert target.repl("CNTKCTL_EL1") == "CNTKCTL_EL1 0x91 (EVNTI=9 EL0PCTEN=1)"
    assert target.eval("CNTKCTL_EL1.fields['EVNTI']") == (7, 4)
    target.exec("MAIR_EL1.write(0xFFFF_FFFF_FFFF_FFFF); MAIR_EL1.Attr7 = 0x80")
    assert target.eval("MAIR_EL1.read()") == 0x80FF_FFFF_FFFF_FFFF
    target.exec("CNTKCTL_EL1.write(0); MAIR_EL1.write(0)")


def test_a_value_has_the_fields_of_its_register(target):
    target.exec("from hv import regs")
    target.exec("from hv.regs import SCTLR_EL1; before = SCTLR_EL1.read()")
    target.exec("v = SCTLR_EL1(0x30D0_0800); v.M = v.C = 1")
    assert target.eval("int(v)") == 0x30D0_0805
    assert target.repl("v") == "SCTLR_EL1 0x30d00805 (C=1 M=1)"
    assert target.eval("SCTLR_EL1.read() == before")
    assert target.repl("regs.PSTATE(0x3C5)") == "PSTATE 0x3c5 (D=1 A=1 I=1 F=1 M=5)"


def test_names_in_families_and_generic_names(target):
    target.exec("from hv import regs")
    assert target.eval("regs.DBGBVR15_EL1.enc") == 0x8000 | 15 << 3 | 4
    assert target.eval("regs.PMEVTYPER30_EL0.name") == "PMEVTYPER30_EL0"
    assert target.eval("regs.S3_4_C1_C1_0 is regs.HCR_EL2")
    assert target.eval("regs.S3_7_C15_C15_7.name") == "S3_7_C15_C15_7"
    assert target.eval("all(getattr(regs, name).name == name for name in regs.names())")


def test_mistakes_are_named(target):
    target.exec("from hv import regs")
    for code, message in (
        ("regs.HCR_EL3", "no system register 'HCR_EL3'; did you mean HCR_EL2?"),
        ("from hv.regs import SCTLR", "did you mean SCTLR_EL1?"),
        ("regs.HCR_EL2.VN", "HCR_EL2 has no field VN"),
        ("regs.HCR_EL2.VN = 1", "HCR_EL2 has no field VN"),
        ("regs.HCR_EL2.VM = 2", "HCR_EL2.VM is 1 bit wide: 0x2 does not fit"),
        ("regs.HCR_EL2.BSU = -1", "HCR_EL2.BSU is 2 bits wide"),
        ("regs.MIDR_EL1.write(0)", "MIDR_EL1 cannot be written"),
        ("regs.OSLAR_EL1.read()", "OSLAR_EL1 cannot be read"),
        ("regs.S3_7_C15_C15_7.read()", "S3_7_C15_C15_7 cannot be read"),
        ("regs.PSTATE.read()", "PSTATE is not a system register"),
    ):
        with pytest.raises(TargetError) as error:
            target.exec(code)
        assert message in str(error.value)
    assert target.repl("regs.OSLAR_EL1") == "OSLAR_EL1 (write-only)"


def test_a_thousand_absent_registers_in_a_row(target):
    target.exec("from hv import regs")
    target.exec(
        "for i in range(1000):\n"
        " try:\n  regs.S3_7_C15_C15_7.read()\n  raise SystemExit\n"
        " except OSError:\n  pass",
        seconds=20,
    )
    assert target.repl("1 + 1") == "2"


def test_tab_completes_registers_and_fields(target):
    target.repl("import hv.regs")
    target.send(b"hv.regs.HPF" + TAB)
    target.until("hv.regs.HPFAR_EL2")
    target.interrupt()
    target.repl("from hv.regs import HCR_EL2")
    target.send(b"HCR_EL2.TID" + TAB)
    assert "TIDCP" in target.until("TID0")
    target.interrupt()


def test_dir_lists_registers_and_fields(target):
    target.exec("import hv.regs")
    assert target.eval("{'HCR_EL2', 'DBGBVR0_EL1', 'TLBI_ALLE2'} <= set(dir(hv.regs))")
    assert target.eval("{'read', 'write', 'VM', 'TGE'} <= set(dir(hv.regs.HCR_EL2))")


def test_explain(target):
    target.exec("from hv.syndrome import explain")
    assert target.eval("explain(0x93830005, ipa=0x0B000010)") == (
        "Data abort from a lower EL (EC 0x24): translation fault, level 1; "
        "4-byte load into w3 at IPA 0x0b000010"
    )
    assert target.eval("explain(0x62320461)").endswith(": MRS x3, ACTLR_EL1")
