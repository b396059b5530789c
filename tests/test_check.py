# SPDX-License-Identifier: MIT
"""`make check` passes: linters, formatters, generated files and types."""

import re
import subprocess

import pytest
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


def test_what_make_removes_may_not_be_there():
    """MicroPython's RM is a bare `rm`: without -f a recipe fails in a fresh clone, and only there."""
    for makefile in ROOT.glob("ports/aarch64/**/*akefile*"):
        assert not re.search(r"\$\(RM\)(?! -r?f)", makefile.read_text()), makefile


def test_nothing_built_is_in_git():
    """What git has is text, all of it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("not a git tree")
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.is_file():
            assert b"\0" not in path.read_bytes()[:8192], f"{name} is binary"


TOP = """
.ci .gitattributes .gitignore .pre-commit-config.yaml CHANGELOG.md CONTRIBUTING.md LICENSE Makefile README.md SECURITY.md boot
docs examples guests hv_native modules ports pyproject.toml requirements-campaign.txt requirements-look.txt
requirements.txt tests tools typings
""".split()


def test_nothing_lies_about_at_the_top():
    """A script or a core that somebody needed once."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git tree")
    assert {name.partition("/")[0] for name in listed.stdout.splitlines()} <= set(TOP)
