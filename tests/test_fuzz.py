# SPDX-License-Identifier: MIT
"""`make fuzz`: the same cases each time, on each kind of machine; new ones are for `make fuzz` and `make test-long`."""

import random
import subprocess
import sys

import pytest
from harness import ROOT

GUESTS = "insn,mmio,psci,virtqueue,stage1,a32,debug"
CASES = {
    GUESTS: 12,
    "files": 30,
    "trees": 10,
    "typed": 10,
    "calls": 2,
}  # of each kind, on each machine
FIRST = {
    "gicv2-smp1": 0,
    "gicv3-smp1": 32,
    "gicv2-smp4": 64,
    "gicv3-smp4": 96,
    "max": 128,
}  # session.spread


def fuzz(kinds, *options):
    command = [sys.executable, ROOT / "tests/fuzz", "--kind", kinds, *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("machine", FIRST)
@pytest.mark.parametrize("kinds", CASES)
def test_fuzz(image, kinds, machine):
    fuzz(kinds, "--seed", FIRST[machine], "--count", CASES[kinds])


@pytest.mark.long
@pytest.mark.parametrize("kinds", (*CASES, "compiled"))  # of which test_native.py has some
def test_fuzz_from_a_new_seed(image, kinds):
    fuzz(kinds, "--seed", random.SystemRandom().randrange(1_000_000), "--timed", "--seconds", 600)


def test_the_same_seed_is_the_same_case(image):
    """On any machine, of any kind; another seed is another."""
    script = f"""
import sys
sys.path[:0] = [{str(ROOT / "tests/fuzz")!r}, {str(ROOT / "tests")!r}, {str(ROOT / "tools")!r}]
import compiled, programs, random, typed
for name, kind in programs.KINDS.items():
    cases = [kind(random.Random(f"{{name}} {{seed}}"), {{"gic": 3, "smp": 1}}).script() for seed in (1, 1, 2)]
    assert cases[0] == cases[1] != cases[2], name
    whole = kind(random.Random(name), {{"gic": 2, "smp": 1}})
    assert whole.only(whole.pieces()).script() == whole.script() != whole.only(whole.pieces()[1:]).script()
assert compiled.script(random.Random(1)) == compiled.script(random.Random(1)) != compiled.script(random.Random(2))
assert typed.lines(random.Random(1)) == typed.lines(random.Random(1)) != typed.lines(random.Random(2))
"""
    subprocess.run([sys.executable, "-c", script], check=True)
