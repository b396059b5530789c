# SPDX-License-Identifier: MIT
"""examples/kernel_ci, as somebody who copies it has it: his CI file's own commands, and what a failure shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness import ROOT

FAILS = """
import pytest

pytestmark = pytest.mark.guest("build/kernel.elf", ram="8M", trace="mmio:pl011 psci")

def test_waits_for_what_never_comes(vm):
    vm.run_until("kernel: down", seconds=0.1)

def test_ends_first(vm):
    vm.run_until("> ")
    vm.console.send("q")
    vm.run_until("> ")

def test_asks_for_what_is_not_there(vm, target):
    with pytest.raises(KeyError, match="kernel.elf has no symbol"):
        vm.symbol("kernel_mian")
    target.call("1 // 0")

@pytest.mark.guest("build/none.elf")
def test_without_a_kernel(vm):
    pass
"""


@pytest.fixture(scope="module")
def copied(image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine") / "kernel"
    shutil.copytree(
        ROOT / "examples/kernel_ci", folder, ignore=shutil.ignore_patterns("build", "__pycache__")
    )
    return folder


def sh(command, folder):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout


def test_its_ci_passes(copied):
    steps = re.findall(r"^ +- run: (.*)$", (copied / "ci.yml").read_text(), re.M)
    install = [step for step in steps if re.match(r"sudo apt-get|pip install", step)]
    assert len(install) == 2 and steps[:2] == install
    for step in steps[2:]:
        status, text = sh(step, copied)
        assert status == 0, f"{step}\n{text}"
        assert "pytest" not in step or "3 passed" in text, text


def test_a_failing_report_has_the_console(copied):
    sh("make", copied)
    (copied / "test_fails.py").write_text(FAILS)
    status, text = sh("python -m pytest -n 2 test_fails.py", copied)
    assert status == 1 and "3 failed, 1 error" in text, text
    assert text.count("console of vm -") >= 3 and text.count("where vm is -") >= 3, text
    assert re.search(r"where vm is -+\n<Exit .*\n#0 +0x[0-9a-f]+ (get|kernel_main)\+0x", text), (
        text
    )
    assert "no 'kernel: down' from vm; it printed last:\nE" in text and "kernel: up" in text
    assert "vm ended without '> ': <Exit off: cpu 0" in text
    assert "ZeroDivisionError: divide by zero" in text and "registers of <Target" in text
    assert text.count("why vm stopped -") >= 3 and "answered by: PSCI, in C" in text
    traces = re.findall(r"last of mmio:pl011 psci -+\n((?:<\d.*\n)+)", text)
    assert any("psci SYSTEM_OFF" in each for each in traces), text
    assert any(each.count("mmio store pl011") > 10 for each in traces), text
    assert "guest('build/none.elf'): no such file; is it built?" in text
    assert "machine(gic=2, smp=1" in sh("python -m pytest --markers", copied)[1]
