# SPDX-License-Identifier: MIT
"""What hv.explain says, against syndromes seen on hardware or put together by hand; on the host."""

import importlib.util
import subprocess
import sys
import types

import gen_registers
import pytest
from harness import ROOT


@pytest.fixture
def explain(monkeypatch):
    """The frozen module hv.syndrome on this Python, with the table's names behind it."""
    names = {row.enc: row.name for row in reversed(gen_registers.rows())}
    hv = types.ModuleType("_hv")
    hv.sysreg = lambda enc: (names.get(enc) or gen_registers.generic(enc), enc, "RW")
    monkeypatch.setitem(sys.modules, "_hv", hv)
    spec = importlib.util.spec_from_file_location("syndrome", ROOT / "modules/hv/syndrome.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.explain


def hex_id(value):
    return f"{value:#x}" if isinstance(value, int) else ""


# ESR, what is said. Each ESR can be checked by hand: EC is bits 31:26, IL is 0x0200_0000.
PLAIN = [
    (0x0200_0000, "Unknown reason (EC 0x00)"),
    (0x07E0_0000, "Trapped WFI or WFE (EC 0x01): WFI"),
    (0x07E0_0001, "Trapped WFI or WFE (EC 0x01): WFE"),
    (0x0530_0001, "Trapped WFI or WFE (EC 0x01): WFE, condition CC; 16-bit instruction"),
    # AArch32: mrc p15, 0, r1, c1, c0, 1 and mcr p15, 0, r0, c12, c0, 0, condition NE
    (0x0FE2_0421, "Trapped MCR or MRC, coproc 15 (EC 0x03): MRC p15, 0, x1, c1, c0, 1"),
    (0x0F10_3000, "Trapped MCR or MRC, coproc 15 (EC 0x03): MCR p15, 0, x0, c12, c0, 0, "
                  "condition NE"),
    # mrrc p15, 1, r2, r3, c14 (CNTVCT)
    (0x13E1_0C5D, "Trapped MCRR or MRRC, coproc 15 (EC 0x04): MRRC p15, 1, x2, x3, c14"),
    (0x17E0_0001, "Trapped MCR or MRC, coproc 14 (EC 0x05): MRC p14, 0, x0, c0, c0, 0"),
    # stc p14, c5, [r2], #-4: AM 1 post-indexed, Offset 0
    (0x1BE0_1042, "Trapped LDC or STC (EC 0x06): STC p14, c5, [x2], #-4"),
    (0x1BE0_1075, "Trapped LDC or STC (EC 0x06): LDC p14, c5, [x3, #+4]"),
    (0x1FE0_0000, "Trapped access to SIMD or floating-point (EC 0x07)"),
    (0x23E0_1C61, "Trapped VMRS (EC 0x08): VMRS x3, MVFR0"),
    (0x33E0_0001, "Trapped MRRC, coproc 14 (EC 0x0c): MRRC p14, 0, x0, x0, c0"),
    (0x3A00_0000, "Illegal Execution state (EC 0x0e)"),
    (0x4600_0011, "SVC in AArch32 state (EC 0x11): SVC #0x11"),
    (0x4A00_0001, "HVC in AArch32 state (EC 0x12): HVC #0x1"),
    (0x4E00_0000, "SMC in AArch32 state (EC 0x13): SMC"),
    (0x4F08_0000, "SMC in AArch32 state (EC 0x13): SMC, condition EQ"),
    (0x5600_0000, "SVC in AArch64 state (EC 0x15): SVC #0x0"),
    (0x5A00_4242, "HVC in AArch64 state (EC 0x16): HVC #0x4242"),
    (0x5E00_0000, "SMC in AArch64 state (EC 0x17): SMC #0x0"),
    (0xBE00_0000, "SError interrupt (EC 0x2f): architected syndrome 0x0"),
    (0xBF00_0002, "SError interrupt (EC 0x2f): IMPLEMENTATION DEFINED syndrome 0x2"),
    (0xC200_0022, "Breakpoint from a lower EL (EC 0x30)"),
    (0xC600_0022, "Breakpoint from the current EL (EC 0x31)"),
    (0xCA00_0022, "Software Step from a lower EL (EC 0x32)"),
    (0xCB00_0062, "Software Step from a lower EL (EC 0x32): a load-exclusive was stepped"),
    (0xCE00_0022, "Software Step from the current EL (EC 0x33)"),
    (0xD200_0062, "Watchpoint from a lower EL (EC 0x34): store"),
    (0xD600_0022, "Watchpoint from the current EL (EC 0x35): load"),
    (0xD200_0162, "Watchpoint from a lower EL (EC 0x34): cache maintenance"),
    (0xE200_0003, "BKPT in AArch32 state (EC 0x38): BKPT #0x3"),
    (0xEA00_0022, "Vector Catch in AArch32 state (EC 0x3a)"),
    (0xF200_03E8, "BRK in AArch64 state (EC 0x3c): BRK #0x3e8"),
    (0xA280_0000, "Trapped floating-point exception in AArch32 state (EC 0x28): "),
    (0xB280_0013, "Trapped floating-point exception in AArch64 state (EC 0x2c): IXF DZF IOF"),
    (0xB200_0000, "Trapped floating-point exception in AArch64 state (EC 0x2c): "
                  "not told which (TFV 0)"),
    (0xFE00_0001, "Reserved exception class (EC 0x3f): ISS 0x1"),
]  # fmt: skip


@pytest.mark.parametrize("esr, text", PLAIN, ids=hex_id)
def test_classes(explain, esr, text):
    assert explain(esr) == text.removesuffix(": ")


def test_every_class_of_armv8_0_has_words(explain):
    architected = (0, 1, 3, 4, 5, 6, 7, 8, 0xC, 0xE, 0x11, 0x12, 0x13, 0x15, 0x16, 0x17, 0x18,
                   0x20, 0x21, 0x22, 0x24, 0x25, 0x26, 0x28, 0x2C, 0x2F, 0x30, 0x31, 0x32, 0x33,
                   0x34, 0x35, 0x38, 0x3A, 0x3C)  # fmt: skip
    for ec in range(64):
        for iss in (0, 0x1FF_FFFF, 0x155_5555, 0xAA_AAAA):
            text = explain(ec << 26 | 1 << 25 | iss, 0xFFFF_8000_1234_5678, 0x40_0010, 0x4000)
            assert f"(EC {ec:#04x})" in text and "\n" not in text
            assert ("Reserved exception class" in text) == (
                ec not in architected + (9, 0xD, 0x19, 0x1A, 0x1C, 0x1D, 0x1F)
            )


# ---- aborts: a device at IPA 0x0b00_0000, VA = IPA, HPFAR_EL2 = IPA[47:12] at bit 4

HPFAR = 0x0B00_0000 >> 12 << 4
ABORTS = [
    # ISV, SAS 2, SRT 3, level 1
    (0x9383_0005, "translation fault, level 1; 4-byte load into w3 at IPA 0x0b000010"),
    (0x9383_8045, "translation fault, level 1; 4-byte store from x3 at IPA 0x0b000010"),
    (0x93C3_8046, "translation fault, level 2; 8-byte store from x3 at IPA 0x0b000010"),
    (0x931F_0047, "translation fault, level 3; 1-byte store from wzr at IPA 0x0b000010"),
    (0x9361_0007, "translation fault, level 3; 2-byte sign-extending load into w1 at IPA "
                  "0x0b000010"),
    (0x93A1_8007, "translation fault, level 3; 4-byte sign-extending load into x1 at IPA "
                  "0x0b000010"),
    (0x9381_4007, "translation fault, level 3; 4-byte load-acquire into w1 at IPA 0x0b000010"),
    (0x9381_4047, "translation fault, level 3; 4-byte store-release from w1 at IPA 0x0b000010"),
    (0x9200_0007, "translation fault, level 3; load (ISV 0) at IPA 0x0b000010"),
    (0x9200_0047, "translation fault, level 3; store (ISV 0) at IPA 0x0b000010"),
    (0x9200_0147, "translation fault, level 3; cache maintenance or AT instruction at IPA "
                  "0x0b000010"),
    (0x9200_0004, "translation fault, level 0; load (ISV 0) at IPA 0x0b000010"),
    (0x9200_000B, "access flag fault, level 3; load (ISV 0) at IPA 0x0b000010"),
    (0x9200_0000, "address size fault, level 0; load (ISV 0) at IPA 0x0b000010"),
    (0x9200_000F, "permission fault, level 3; load (ISV 0) at IPA 0x0b000010"),
    (0x9200_0021, "alignment fault; load (ISV 0) at IPA 0x0b000010"),
    (0x9200_0210, "synchronous external abort, EA 1; load (ISV 0) at IPA 0x0b000010"),
    (0x9200_0410, "synchronous external abort; load (ISV 0), FAR not valid"),
    (0x9200_0018, "synchronous parity or ECC error; load (ISV 0) at IPA 0x0b000010"),
    (0x9200_0030, "TLB conflict abort; load (ISV 0) at IPA 0x0b000010"),
]  # fmt: skip


@pytest.mark.parametrize("esr, text", ABORTS, ids=hex_id)
def test_data_aborts(explain, esr, text):
    assert explain(esr, ipa=0x0B00_0010) == "Data abort from a lower EL (EC 0x24): " + text


def test_the_address_is_put_together_from_far_and_hpfar(explain):
    head = "Data abort from a lower EL (EC 0x24): "
    far = 0xFFFF_0000_0123_4010
    assert explain(0x9383_0005, far, HPFAR).endswith(" at VA 0xffff000001234010, IPA 0x0b000010")
    assert explain(0x9383_0005, None, HPFAR).endswith(" at IPA 0x0b000000")
    assert explain(0x9383_0005, far).endswith(" into w3 at VA 0xffff000001234010")
    # A permission fault leaves HPFAR_EL2 UNKNOWN, unless it was met on a stage 1 walk.
    assert explain(0x9200_000F, far, HPFAR) == (
        head + "permission fault, level 3; load (ISV 0) at VA 0xffff000001234010"
    )
    assert explain(0x9200_0085, far, HPFAR) == (
        head + "translation fault, level 1, on a stage 1 table walk; load (ISV 0) "
        "at VA 0xffff000001234010, table at IPA 0x0b000000"
    )
    # A 48-bit IPA: HPFAR_EL2.FIPA is bits 39:4.
    assert explain(0x9383_0005, 0, 0xFF_FFFF_FFF0).endswith("IPA 0xfffffffff000")


def test_other_faults_with_an_address(explain):
    assert explain(0x8200_0005, 0x1000) == (
        "Instruction abort from a lower EL (EC 0x20): translation fault, level 1 at VA 0x00001000"
    )
    assert explain(0x8600_000E, 0x1000) == (
        "Instruction abort from the current EL (EC 0x21): permission fault, level 2 at VA 0x00001000"
    )
    assert explain(0x9600_0046, 0x8) == (
        "Data abort from the current EL (EC 0x25): translation fault, level 2; store at VA 0x00000008"
    )
    assert explain(0x8A00_0000, 0x4000_0002) == "PC alignment fault (EC 0x22) at VA 0x40000002"
    assert explain(0x9A00_0000, pc=0x4008_0000) == "SP alignment fault (EC 0x26); PC 0x40080000"
    assert explain(0xD200_0062, 0x4009_0000).endswith(": store at VA 0x40090000")


def test_an_exit_brings_its_own_addresses(explain):
    exit = types.SimpleNamespace(esr=0x9383_0005, va=0xB000_0010, ipa=0x0B00_0010, pc=0x4008_0000)
    assert explain(exit) == (
        "Data abort from a lower EL (EC 0x24): translation fault, level 1; 4-byte load into w3 "
        "at VA 0xb0000010, IPA 0x0b000010; PC 0x40080000"
    )


# ---- MSR, MRS and System instructions, from the assembler's own encoding of them


@pytest.mark.parametrize(
    "instruction, text",
    [
        ("mrs x3, ACTLR_EL1", "MRS x3, ACTLR_EL1"),
        ("msr SCTLR_EL1, x0", "MSR SCTLR_EL1, x0"),
        ("msr TTBR0_EL1, xzr", "MSR TTBR0_EL1, xzr"),
        ("mrs x30, CNTPCT_EL0", "MRS x30, CNTPCT_EL0"),
        ("msr ICC_SGI1R_EL1, x7", "MSR ICC_SGI1R_EL1, x7"),
        ("mrs x9, DBGBVR11_EL1", "MRS x9, DBGBVR11_EL1"),
        ("mrs x1, DBGDTRRX_EL0", "MRS x1, DBGDTRRX_EL0"),
        ("msr DBGDTRTX_EL0, x1", "MSR DBGDTRTX_EL0, x1"),
        ("mrs x2, S3_1_C11_C0_2", "MRS x2, L2CTLR_EL1"),
        ("mrs x2, S3_0_C15_C7_6", "MRS x2, S3_0_C15_C7_6"),
        ("dc cisw, x3", "DC CISW, x3"),
        ("dc zva, x12", "DC ZVA, x12"),
        ("ic iallu", "IC IALLU"),
        ("tlbi vmalle1is", "TLBI VMALLE1IS"),
        ("tlbi vae1, x5", "TLBI VAE1, x5"),
        ("at s1e1r, x6", "AT S1E1R, x6"),
        ("sys #2, C11, C3, #4, x8", "SYS #2, C11, C3, #4, x8"),
        ("msr DAIFSet, #3", "MSR DAIFSet, #3"),
        ("msr DAIFClr, #2", "MSR DAIFClr, #2"),
        ("msr SPSel, #1", "MSR SPSel, #1"),
    ],
)
def test_system_instructions(explain, tmp_path, instruction, text):
    (tmp_path / "one.s").write_text(instruction + "\n")
    for command in (
        ["aarch64-linux-gnu-as", "one.s", "-o", "one.o"],
        ["aarch64-linux-gnu-objcopy", "-O", "binary", "one.o", "one.bin"],
    ):
        subprocess.run(command, check=True, cwd=tmp_path)
    word = int.from_bytes((tmp_path / "one.bin").read_bytes(), "little")
    # Instruction: L 21, op0 20:19, op1 18:16, CRn 15:12, CRm 11:8, op2 7:5, Rt 4:0.
    # ISS: Op0 21:20, Op2 19:17, Op1 16:14, CRn 13:10, Rt 9:5, CRm 4:1, Direction 0.
    iss = (
        (word >> 19 & 3) << 20 | (word >> 5 & 7) << 17 | (word >> 16 & 7) << 14
        | (word >> 12 & 15) << 10 | (word & 31) << 5 | (word >> 8 & 15) << 1 | (word >> 21 & 1)
    )  # fmt: skip
    said = explain(0x6200_0000 | iss)
    assert said == "Trapped MSR, MRS or System instruction (EC 0x18): " + text
