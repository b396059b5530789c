# SPDX-License-Identifier: MIT
"""help(thing) at the prompt: everything that docs/api.md describes, by name and by object."""

import ast
import re

import gen_api
import pytest
from harness import Target

# How a session comes by one of each page's things; None: a module or a class, by its own name.
THINGS = {
    "VM": "vm",
    "Handlers": "vm",
    "VCPU": "vm.cpu[0]",
    "Exit": "vm.cpu[0].exit",
    "Memory": "vm.memory",
    "Stage2": "vm.stage2",
    "EL2Registers": "vm.el2",
    "Console": "vm.console",
    "Rule": "rule",
    "Watch": "watch",
    "IRQ": "vm.irq(40)",
    "Register": "hv.regs.HCR_EL2",
    "Request": None,  # there is none while no driver asks
    "Kernel": None,  # there is none where no Linux runs
    "Virtio": "device.port",
    "Registers": "vm.cpu[0].x",
    "Tap": "tap",
}
SETUP = """\
import hv, machine, hv.mmu, hv.virtio, hv.block, hv.net, hv.loader, hv.machine_dt, hv.fdt, hv.regs
vm = hv.VM("help", ram="1M")
rule, device, watch = vm.rule("hvc", 1), vm.rng(), vm.watch(0x4000_0000, 8)
tap = hv.Switch().tap(print)
"""


@pytest.fixture(scope="module")
def target(image):
    target = Target(gic=3).boot()
    target.exec(SETUP)
    yield target
    target.close()


def helped(target, expressions):
    """{expression: what help() of it prints}."""
    code = "".join(f"print({'%% ' + e!r})\nhelp({e})\n" for e in expressions)
    parts = target.exec(code, 120).replace("\r", "").split("%% ")[1:]
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in parts}


def words(text):
    return " ".join(text.split())


def entries():
    """(page's title, name, what is said of it, whether it is a function) of all that is public."""
    for title, file, cls, _ in gen_api.HELP_PAGES:
        for name, node, doc in gen_api.page(file, cls)[1]:
            calls = isinstance(node, ast.FunctionDef) and gen_api.signature(name, node) != name
            yield title, name, doc, calls


def expected(title, name, doc):
    """What help() has to say of it: the first sentence at least."""
    if title not in gen_api.BRIEFLY and title != name and not (title == "hv" and name in TITLES):
        return words(doc)
    return words(re.split(r"[.;] ", doc)[0].rstrip("."))


TITLES = [title for title, *_ in gen_api.HELP_PAGES] + [
    title[3:] for title, *_ in gen_api.HELP_PAGES if title.startswith("hv.")
]


def test_by_name(target):
    asked = {}
    for title, name, doc, _ in entries():
        full = name if title == "hv" else f"{'VM' if title == 'Handlers' else title}.{name}"
        asked[repr(full)] = expected(title, name, doc)
    said = helped(target, asked)
    for expression, text in asked.items():
        assert text in words(said[expression]), (expression, said[expression])


def test_by_object(target):
    """Functions and methods, of modules, of classes and of instances, say how they are called too."""
    asked = {}
    for title, name, doc, calls in entries():
        thing = THINGS.get(title, title)
        if calls and thing:
            asked[f"{thing}.{name}"] = (name + "(", expected(title, name, doc))
            if title in ("VM", "Handlers"):
                asked[f"hv.VM.{name}"] = asked[f"{thing}.{name}"]
            elif title == "VCPU":
                asked[f"hv.VCPU.{name}"] = asked[f"{thing}.{name}"]
    said = helped(target, asked)
    for expression, texts in asked.items():
        for text in texts:
            assert text in words(said[expression]), (expression, said[expression])


def test_properties(target):
    said = helped(target, ["hv.VM.running", "hv.VM.stop_time", "hv.VM.stage2"])
    assert "runs in the background" in said["hv.VM.running"]
    assert "stands still" in said["hv.VM.stop_time"] and "IPA space" in said["hv.VM.stage2"]


def test_things(target):
    """Of each thing its page: how one comes by it, and a line for each name; nothing is cut off."""
    pages = {THINGS.get(title, title): (title, file, cls) for title, file, cls, _ in gen_api.PAGES}
    pages.pop(None)
    said = helped(target, pages)
    for thing, (title, file, cls) in pages.items():
        names = [name for name, _, _ in gen_api.page(file, cls)[1]]
        for name in names:
            assert re.search(rf"(?m)^  {name}\b", said[thing]), (thing, name, said[thing])
    for thing, text in said.items():
        cut = [line for line in text.split("\n") if len(line) > 79 and line[:1] != " "]
        assert not cut, (thing, cut)
        assert not re.search(r"\w \.\.\.$", text, re.M) or thing == "hv", (thing, text)


def test_classes_of_modules(target):
    said = helped(
        target, ["hv.block.Block", "hv.fdt.Tree", "hv.loader.Loaded", "hv.virtio.Device"]
    )
    assert "request(queue, r)" in words(said["hv.virtio.Device"])
    assert "walk()" in said["hv.fdt.Tree"] and "pack(" in said["hv.fdt.Tree"]
    text = helped(target, ["device", "device.plug"])  # an instance, and what it inherits
    assert "Random numbers" in text["device"] and "has found a slot" in text["device.plug"]


def test_registers(target):
    text = helped(target, ["hv.regs", "hv.regs.HCR_EL2", "hv.regs.SCTLR_EL1(5)"])
    assert "from hv.regs import HCR_EL2" in text["hv.regs"]
    assert text["hv.regs.HCR_EL2"].startswith("HCR_EL2 RW S3_4_C1_C1_0\n")
    assert "BSU[11:10]" in text["hv.regs.HCR_EL2"] and "TWI[13]" in text["hv.regs.HCR_EL2"]
    assert text["hv.regs.SCTLR_EL1(5)"].startswith("SCTLR_EL1 RW")


def test_actions_and_types(target):
    said = helped(target, ["hv.PASS", "hv.Fault", "hv.VCPU", "hv.Exit", "hv.VM"])
    assert "without it" in said["hv.PASS"] and "memory or register" in said["hv.Fault"]
    assert "inject(what, where)" in said["hv.VCPU"] and "reason" in said["hv.Exit"]
    assert "run(timeout_ms)" in said["hv.VM"]


def test_what_it_does_not_know(target):
    """As MicroPython says it; and asking imports nothing else, asks no property, keeps no VM alive."""
    said = helped(target, ["5", "'nothing'", "'abc'.join", "print", "lambda: 1", "None"])
    for text in said.values():
        assert text.startswith("object "), text
    target.exec("vm2 = hv.VM('gone', ram='1M'); vm2.close(); help(vm2); help(vm2.run)")
