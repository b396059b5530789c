# SPDX-License-Identifier: MIT
"""`make check` passes: linters, formatters, generated files and types."""

import subprocess

from harness import ROOT


def test_make_check():
    done = subprocess.run(
        ["make", "-s", "check"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
