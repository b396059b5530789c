# SPDX-License-Identifier: MIT
"""The harness itself: what a hung or missing target leads to."""

import os
import subprocess
import sys

import pytest
from harness import ROOT, Gone, Target


def test_a_hung_target_fails_with_its_console_in_the_report(image, tmp_path):
    """Two ways to hang: the harness's own deadline, and pytest's. A third test runs all the same."""
    (tmp_path / "test_hung.py").write_text(
        "import pytest, time\n"
        "def test_hangs(target):\n"
        "    target.exec('print(\\'on the \\' + \\'console\\')')\n"
        "    target.exec('while True: pass', seconds=0.2)\n"
        "@pytest.mark.timeout(20, func_only=True)\n"
        "def test_waits(target):\n"
        "    time.sleep(600)\n"
        "def test_goes_on(target):\n"
        "    assert target.eval('6 * 7') == 42\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path]
        + ["-p", "conftest", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}/tests:{ROOT}/tools"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    report = done.stdout
    assert "2 failed, 1 passed" in report, report + done.stderr
    assert "console of <Target gicv2, 1 core, 128M>" in report
    assert "on the console" in report
    assert "CPU#0 is in " in report
    assert "Timeout (>20.0s) from pytest-timeout" in report


def test_a_machine_that_cannot_start_says_why():
    target = Target(args=["-device", "no-such-device"])
    with pytest.raises(Gone, match="no-such-device"):
        target.boot()
    target.close()


def test_a_machine_that_goes_away_ends_the_wait(boot):
    target = boot()
    target._monitor.sendall(b"quit\n")
    with pytest.raises(Gone):
        target.wait_prompt(30)
