# SPDX-License-Identifier: MIT
"""What this port leans on of MicroPython's insides is as it was when somebody last looked at it."""

import json
import os
import shutil
from pathlib import Path

import upkeep
from harness import ROOT

SOURCE = Path(os.environ.get("MICROPY_DIR") or ROOT / "build/micropython")
KNOWN = json.loads(upkeep.KNOWN.read_text())


def test_nothing_has_changed(image):
    assert list(upkeep.changes(SOURCE, KNOWN)) == []


def test_every_opcode_of_the_short_interpreter_is_looked_at(image):
    opcodes = upkeep.opcodes()
    assert len(opcodes) > 20 and set(opcodes) <= KNOWN.keys()


def test_a_change_is_named(image, tmp_path):
    for folder in ("py", "shared/runtime"):
        shutil.copytree(SOURCE / folder, tmp_path / folder)
    closure = tmp_path / "py/objclosure.c"
    closure.write_text(closure.read_text().replace("size_t n_closed;", "uint32_t n_closed;"))
    vm = tmp_path / "py/vm.c"
    vm.write_text(vm.read_text().replace("ENTRY(MP_BC_DUP_TOP)", "ENTRY(MP_BC_DUPLICATE)"))
    found = list(upkeep.changes(tmp_path, KNOWN))
    assert any(line.startswith("struct closure: has changed") for line in found), found
    assert any(line.startswith("MP_BC_DUP_TOP: ") for line in found), found


def test_a_comment_is_no_change():
    assert upkeep.digest("a = b; // why\n") == upkeep.digest("a = /* how */ b;\n\n")
