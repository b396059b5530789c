# SPDX-License-Identifier: MIT
"""examples/labgrid on QEMU. labgrid brings a pyserial and a pytest of its own: it has a .venv to itself."""

import subprocess
import sys

import pytest
from harness import ROOT


@pytest.mark.long
def test_a_strategy_for_labgrid(image, tmp_path):
    def run(*command):
        done = subprocess.run(
            list(map(str, command)),
            cwd=ROOT / "examples/labgrid",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    run(sys.executable, "-m", "venv", tmp_path)
    python = tmp_path / "bin/python"
    run(python, "-m", "pip", "-q", "install", "labgrid==26.0.1")
    options = ["-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    said = run(python, "-m", "pytest", *options, "--lg-env", "qemu.yaml", "test_prompt.py")
    assert "1 passed" in said, said
