# SPDX-License-Identifier: MIT
"""`make bench`, without what takes minutes: no row over its budget, none dearer than it was."""

import json
import subprocess
import sys

import pytest
from harness import ROOT


@pytest.mark.timeout(3000)
def test_costs_are_what_they_were(image):
    command = [sys.executable, ROOT / "tools/bench.py", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2900)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found = json.loads((ROOT / "build/bench.json").read_text())
    assert (
        round(found["hundred_nops"]) == 100
    )  # the counter counts instructions, and a byte that comes meanwhile
    assert found["heap_python"] == 0
    assert "<svg" in (ROOT / "build/bench-growth.svg").read_text()


def test_a_mark_not_reached_is_no_count(image, monkeypatch):
    """It is not 0 instructions: what the machine said instead is told."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import bench

    bench.BUILD.mkdir(parents=True, exist_ok=True)
    with pytest.raises(SystemExit, match="not all reached of 0xdead0000") as stopped:
        bench.counted(marks=[0xDEAD_0000], run=lambda target: target.wait_prompt(60), seconds=1)
    assert "MicroPython" in str(stopped.value)


def test_short_form_on_the_target(boot):
    """hv.bench() counts instructions where the core can, and says so where it cannot."""
    lines = boot(icount=True).exec("import hv; hv.bench()", 60).splitlines()
    assert lines[0] == "instructions an exit:"
    costs = {line[8:].strip(): int(line[:8]) for line in lines[1:]}
    assert costs["HVC PSCI_VERSION, native"] <= 60
    assert costs["HVC, Python x1 + x2"] <= 189
    assert all(10 < cost < 500 for cost in costs.values())
    timed = boot().exec("import hv; hv.bench()", 60).splitlines()
    assert "clock" in timed[0] and len(timed) == len(lines)
