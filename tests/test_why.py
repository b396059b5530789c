# SPDX-License-Identifier: MIT
"""vm.why(): who answers an exit of each class, in which way, for how many instructions, and what would change it."""

import ast
import json
import re

import pytest
from harness import ROOT
from test_trace import SETUP

SAY = """
from hv.trace import Record
def say(esr, value=0, kind="exit"):
    print("#", end=" ")
    vm.why(Record(0, 0, 0, kind, 0x4008_0000, "", value, "", esr))
"""


def test_its_figures_are_the_benchs():
    """Those that vm.why() names are rows of the last run, to the tenth."""
    tree = ast.parse((ROOT / "modules/hv/why.py").read_text())
    (text,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "COSTS"
    ]
    last = json.loads((ROOT / "tests/bench/last.json").read_text())
    words = text.split()
    for row, told in zip(words[::2], words[1::2], strict=True):
        assert int(told) == pytest.approx(last[row], rel=0.1), (
            f"{row}: {round(last[row])}; tools/bench.py --update writes it"
        )


def test_every_class(target):
    """All 64, and calls of each kind: somebody answers, and every row that is named is one of the bench's."""
    target.exec(SETUP + SAY)
    said = target.exec("for ec in range(64): say(ec << 26 | 1 << 25)", seconds=60)
    texts = said.split("# ")[1:]
    assert len(texts) == 64 and all("answered by: " in text for text in texts), said
    for ec, words in {
        0x01: ("the virtual GIC, in C: WFI waits", "timer_wakes"),
        0x05: ("the AArch64 register behind the AArch32 name",),
        0x07: ("vectors and floats are brought to this vCPU",),
        0x0E: ("its own exception vector",),
        0x09: (
            "nobody (Trapped pointer authentication): the program gets an UNDEFINED exception",
        ),
        0x22: ("its own exception vector",),
        0x2F: ("a virtual SError",),
        0x30: ("in a debug register", "watch_hard_hit"),
        0x32: ("cpu.step()", "step_function"),
        0x3C: ("a breakpoint of vm.on() in a program (BRK)", "break_python"),
    }.items():
        assert all(word in texts[ec] for word in words), texts[ec]
        assert f"vm.exception({ec:#x}, f) would be asked before" in texts[ec]


# A line, what is said of it.
LINES = [
    ("say(0x5A00_0000, 0x8400_0000)", "PSCI, in C: PSCI_VERSION; N instructions"),
    ("say(0x5A00_0000, 0xC400_0003)", "PSCI, in C: CPU_ON; the shortest of them N"),
    ("say(0x5E00_0000, 0x8400_0000)", "PSCI, in C: PSCI_VERSION; N instructions"),
    ("say(0x5A00_0000, 0x8000_0000)", "SMCCC, in C; N"),
    ("say(0x5A00_0000, 0xC600_0001)", "SMCCC's NOT_SUPPORTED, in C; N instructions"),
    ("say(0x5A00_0123)", "nobody; vm.hvc(imm=0x123, handler=f) would answer"),
    ("say(0x5A00_E100)", "a breakpoint (vm.on()), in C; counted N"),
    ("say(0x9382_0005, 0x0800_0004)", "the device gicd 0x8000000-0x8000fff in C; N"),
    ("say(0x9382_0045, 0x0900_0000)", "the device pl011 0x9000000-0x9000fff in C; N"),
    ("say(0x9200_0005, 0x0900_0018)", "the instruction is decoded, with all registers saved"),
    ("say(0x9382_0005, 0x0C00_0000)", "nobody: nothing is at IPA 0xc000000; vm.mmio(0xc000000"),
    ("say(0x9382_0005, 0x4010_0000)", "zeroed and mapped 64 KB at a time, once; N"),
    ("say(0x8200_0007, 0x0C00_0000)", "nobody: nothing is at IPA 0xc000000"),
    ("say(0, 26, 'irq')", "EL2's own timer, in C"),
    ("say(0, 27, 'irq')", "the guest's virtual timer: put into its list registers in C; N"),
    ("say(0, 48, 'irq')", "EL2's handler of that INTID, in C"),
    ("say(0, 64, 'svc')", "the guest itself; a planted HVC told of it, N"),
    ("say(0, 1, 'switch')", "the guest itself; a planted HVC told of it, N"),
    ("say(0, 0, 'leave')", "the scheduler, in C; N"),
]

# Who is put before: rules, functions of each tier, of a class; who has taken a page's rights.
BEFORE = """
import micropython
uint = int
def plain(cpu, x1): return x1
@micropython.viper
def viper(cpu, x1: uint) -> uint: return x1
@micropython.native
def native(cpu, x1): return x1
long = print
def whole(cpu, esr): return hv.PASS
for f in plain, viper, native, long:
    vm.hvc(0xC600_0001, f)
    say(0x5A00_0000, 0xC600_0001)
vm.exception(0x16, whole)
say(0x5A00_0000, 0x8400_0000)
say(0x5A00_0000, 0xC600_0002)
def load(cpu, offset, value): return 5
vm.mmio(0x0C00_0000, 0x1000, load)
say(0x9382_0005, 0x0C00_0000)
say(0x9382_0045, 0x0C00_0000)
say(0x9200_0005, 0x0C00_0000)
print("#", end=" ")
vm.explain(0x0C00_0000)
vm.rule("mmio", 0x0C00_1000, "const", value=1)
say(0x9382_0005, 0x0C00_1000)
vm.rule("mmio", 0x0C00_1008, "const", value=1, nth=3)
say(0x9382_0005, 0x0C00_1008)
vm.rule("hvc", 0xC600_0003, "count")
say(0x5A00_0000, 0xC600_0003)
w = vm.watch(ipa=0x4010_0000, size=16, rights="w")
say(0x9382_004F, 0x4010_0800)
w.off()
b = vm.on(ipa=0x4008_0000, action="count")
say(0x9382_000F, 0x4008_0010)
b.remove()
vm.virtio_console()
say(0x9382_0005, 0x0A00_0000)
"""
SAID = (
    "the handler plain: a short one is N instructions (hvc_python of the bench), in the short interpreter",
    ": a short one is N instructions (hvc_viper of the bench), compiled",
    ": a short one is N instructions (hvc_native of the bench), compiled",
    ": MicroPython is called",
    "PSCI, in C: PSCI_VERSION",
    "the handler whole: with all registers saved",
    "the handler load 0xc000000-0xc000fff: a short one is N",
    "the handler load 0xc000000-0xc000fff: a short one is N",
    "the handler load 0xc000000-0xc000fff: after the instruction has been decoded; N",
    "the handler load 0xc000000-0xc000fff: a short one is N instructions (mmio_load_python of the bench)",
    "the rule const 0xc001000-0xc001003, 0 hits: N",
    "without match, pc, nth, every and promote it is done on the way",
    "the rule count, 0 hits: N",
    "a watch has taken a right of that page",
    "a breakpoint has taken a right of that page",
    "the device virtio 0xa000000-0xa003fff in C",
)


def is_said(words, text):
    """N is a number of the bench's."""
    return re.search(re.sub(r"\bN\b", r"[\\d,]+", re.escape(words)), text)


def test_who_answers(target):
    target.exec(SETUP + SAY)
    texts = target.exec("\n".join(line for line, _ in LINES), seconds=60).split("# ")[1:]
    for (line, words), text in zip(LINES, texts, strict=True):
        assert is_said(words, text), f"{line}: {text}"
    texts = target.exec(BEFORE, seconds=60).split("# ")[1:]
    for words, text in zip(SAID, texts, strict=True):
        assert is_said(words, text), text
    # The class's function comes behind PSCI, and before NOT_SUPPORTED.
    assert texts[4].index("PSCI") < texts[4].index("whole")
    assert texts[5].index("whole") < texts[5].index("NOT_SUPPORTED")
