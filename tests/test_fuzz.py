# SPDX-License-Identifier: MIT
"""`make fuzz`, for a while: from a seed that is always the same, and from one that is new each time."""

import random
import subprocess
import sys

import pytest
from harness import ROOT

GROUPS = ("insn,mmio,psci,virtqueue,stage1,a32", "files", "typed")
SECONDS = 20  # of each group and seed


@pytest.mark.slow
@pytest.mark.parametrize("fresh", [False, True], ids=["same", "fresh"])
@pytest.mark.parametrize("kinds", GROUPS)
def test_fuzz(image, kinds, fresh):
    seed = random.SystemRandom().randrange(1_000_000) if fresh else 0
    command = [
        sys.executable,
        ROOT / "tests/fuzz",
        "--kind",
        kinds,
        "--seed",
        str(seed),
        "--timed",
    ]
    done = subprocess.run(
        [*command, "--seconds", str(SECONDS)], cwd=ROOT, capture_output=True, text=True
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_seed_is_the_same_case(image):
    """On any machine, of any kind; another seed is another."""
    script = f"""
import sys
sys.path[:0] = [{str(ROOT / "tests/fuzz")!r}, {str(ROOT / "tests")!r}, {str(ROOT / "tools")!r}]
import programs, random, typed
for name, kind in programs.KINDS.items():
    cases = [kind(random.Random(f"{{name}} {{seed}}"), {{"gic": 3, "smp": 1}}).script() for seed in (1, 1, 2)]
    assert cases[0] == cases[1] != cases[2], name
    whole = kind(random.Random(name), {{"gic": 2, "smp": 1}})
    assert whole.only(whole.pieces()).script() == whole.script() != whole.only(whole.pieces()[1:]).script()
assert typed.lines(random.Random(1)) == typed.lines(random.Random(1)) != typed.lines(random.Random(2))
"""
    subprocess.run([sys.executable, "-c", script], check=True)
