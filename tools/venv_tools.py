# SPDX-License-Identifier: MIT
"""The Python tools of requirements.txt, in .venv."""

import re
import shutil
import subprocess
import sys

from elapid.say import Stop, say


def ready(root):
    """True when .venv holds exactly what requirements.txt asks for."""
    try:
        installed = (root / ".venv" / "installed.txt").read_bytes()
    except OSError:
        return False
    python = root / ".venv" / "bin" / "python"  # a dangling link once the system's Python moved on
    return python.exists() and installed == (root / "requirements.txt").read_bytes()


def install(root):
    venv = root / ".venv"
    say("installing the Python tools of requirements.txt into .venv")
    shutil.rmtree(venv, ignore_errors=True)
    _run([sys.executable, "-m", "venv", venv], "cannot create .venv")
    # Doubly quiet: warnings about the machine's own index settings are not ours to show.
    pip = [venv / "bin" / "python", "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
    _run([*pip, "-r", root / "requirements.txt"], "pip cannot install requirements.txt")
    # Stubs once more, apart from real packages: they stand in for the standard library's own.
    stubs = re.findall(r"^micropython-\S+", (root / "requirements.txt").read_text(), re.M)
    _run([*pip, "--no-deps", "--target", venv / "stubs", *stubs], "pip cannot install the stubs")
    shutil.copyfile(root / "requirements.txt", venv / "installed.txt")


def _run(command, failure):
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        lines = done.stdout.strip().splitlines() or ["no output"]
        raise Stop(f"{failure}: {lines[-1]}")
