# SPDX-License-Identifier: MIT
"""C that nobody uses, by what the linker left out and by the names alone; and what comments name is there."""

import re
from collections import Counter

from harness import ROOT

NATIVE = [*ROOT.glob("hv_native/**/*.[chS]"), *ROOT.glob("hv_native/**/*.def")]
ALL = [*NATIVE, *ROOT.glob("ports/aarch64/**/*.[chS]"), *ROOT.glob("boot/*.S")]
COMMENT = r"//[^\n]*|/\*.*?\*/"


def code(path):
    """A file without its comments."""
    return re.sub(COMMENT, "", path.read_text(errors="replace"), flags=re.S)


WORDS = Counter(word for path in ALL for word in re.findall(r"\w+", code(path)))


def test_functions_that_nobody_calls(image):
    """A function the linker dropped, which no code names but where it is defined and declared."""
    text = (ROOT / "build/QEMU_VIRT/firmware.map").read_text()
    dropped = text[text.index("Discarded input sections") : text.index("Memory Configuration")]
    own = re.findall(r"^ \.text\.(\w+)\s+0x\w+\s+0x\w+\s+\S*hv_native/(\S+)\.o$", dropped, re.M)
    dead = [f"{file}: {name}" for name, file in own if WORDS[name] <= 2]
    assert not dead


def test_declarations_of_nothing():
    for path in ROOT.glob("hv_native/**/*.h"):
        for name in re.findall(r"(?m)^[a-zA-Z][\w \*]*?\b(\w+)\([^;{]*\);", code(path)):
            assert WORDS[name] > 1, f"{path.name} declares {name}, and nothing else names it"


def test_macros_that_nobody_uses():
    """Enumerators may be there for the manual's sake; of names that are pasted together the prefix is used."""
    pasted = set()
    for path in ALL:
        pasted |= set(re.findall(r"(\w+_)##", code(path)))
    for path in NATIVE:
        if path.name == "offsets.h":  # whole structures and enumerations of C, for assembly
            continue
        for name in re.findall(r"(?m)^#define (\w+)", code(path)):
            used = WORDS[name] > 1 or any(name.startswith(prefix) for prefix in pasted)
            assert used or name.endswith("_H"), f"{path.name} defines {name}, and nothing uses it"


def test_types_that_comments_name():
    """ "(vcpu.h, enum exit)": what a comment says is in a header is in it."""
    headers = {path.name: path.read_text() for path in ALL if path.suffix in (".h", ".def")}
    for path in NATIVE:
        for header, name in re.findall(
            r"\((\w+\.h), ([\w ]+)\)", path.read_text(errors="replace")
        ):
            if header in headers and not re.fullmatch(r"[A-Z ]+", name):
                assert name in headers[header], f"{path.name}: {header} has no {name}"


def test_paths_that_are_named_exist():
    """In pages, comments and docstrings; MicroPython's tools/ are not ours."""
    tracked = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ALL]
    tracked += [*ROOT.glob("tools/*.py"), *ROOT.glob("tests/*.py"), *ROOT.glob("modules/hv/*.py")]
    tracked += [*ROOT.glob("typings/**/*.pyi")]
    for path in tracked:
        text = path.read_text(errors="replace")
        for name in re.findall(
            r"(?<![\w/])((?:hv_native|ports|typings|tests)/[\w./-]+\.\w+)", text
        ):
            assert (ROOT / name).exists(), f"{path.name} names {name}"


def test_nothing_raises_while_interrupts_are_masked():
    """Between taking and giving back a lock or the interrupts no argument is converted and no object made:
    what raised there would leave them so, and the prompt dead."""
    take = re.compile(r"\b(irq_save|irq_disable|vm_hold|spin_lock|vgic_lock)\(")
    give = re.compile(r"\b(irq_restore|irq_enable|vm_release|spin_unlock|vgic_unlock\w*)\(")
    caught = re.compile(r"\bif \(nlr_push\(")  # by whom it is given back
    may = re.compile(r"unbox_u64|mp_obj_get_(?!type)|mp_obj_new|mp_call_|m_new\(|sysreg_lookup")
    for path in ROOT.glob("hv_native/python/*.c"):
        held = False
        for number, line in enumerate(code(path).split("\n"), 1):
            held = held and not line.startswith("}")
            assert not (held and may.search(line)), f"{path.name}:{number}: {line.strip()}"
            held = (held or bool(take.search(line))) and not (
                give.search(line) or caught.search(line)
            )
