# SPDX-License-Identifier: MIT
"""The Python tools of requirements.txt in .venv, and this tree's own package, elapid."""

import json
import re
import shutil
import subprocess
import sys
import tomllib

from elapid.say import Stop, say


def ready(root):
    """True when .venv holds exactly what requirements.txt and pyproject.toml ask for."""
    try:
        installed = (root / ".venv" / "holds.txt").read_text()
    except OSError:
        return False
    python = root / ".venv" / "bin" / "python"  # a dangling link once the system's Python moved on
    return python.exists() and installed == _asked(root)


def _asked(root):
    """What is asked for, as text. The package itself is used where it is: only its description is installed."""
    package = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return (root / "requirements.txt").read_text() + json.dumps(package, indent=1) + "\n"


def install(root):
    venv = root / ".venv"
    say("installing the Python tools of requirements.txt, and elapid, into .venv")
    shutil.rmtree(venv, ignore_errors=True)
    _run([sys.executable, "-m", "venv", venv], "cannot create .venv")
    # Doubly quiet: warnings about the machine's own index settings are not ours to show.
    pip = [venv / "bin" / "python", "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
    _run([*pip, "-r", root / "requirements.txt"], "pip cannot install requirements.txt")
    # Stubs once more, apart from real packages: they stand in for the standard library's own.
    stubs = re.findall(r"^micropython-\S+", (root / "requirements.txt").read_text(), re.M)
    _run([*pip, "--no-deps", "--target", venv / "stubs", *stubs], "pip cannot install the stubs")
    # With the setuptools that is there by now: nothing more is fetched.
    own = ["--no-deps", "--no-build-isolation", "--editable", root]
    _run([*pip, *own], "pip cannot install tools/elapid")
    (venv / "holds.txt").write_text(_asked(root))


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
