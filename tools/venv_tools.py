# SPDX-License-Identifier: MIT
"""The Python tools of requirements.txt in .venv, and this tree's own package, elapid."""

import json
import re
import shutil
import subprocess
import sys
import tomllib

from elapid.say import Stop, say

# Extras of pyproject.toml, a requirements-NAME.txt each: what everybody has, and what is installed when it is asked for.
ALWAYS = ("look",)
EXTRAS = (*ALWAYS, "campaign")


def ready(root):
    """True when .venv holds exactly what requirements.txt, pyproject.toml and requirements-*.txt ask for."""
    return _all_ready(root) and has(root, ALWAYS)


def has(root, extras):
    """Whether it holds these as well: requirements-look.txt and its like are apart, so that nothing else is installed anew."""
    return all(_extra_ready(root, extra) for extra in extras)


def _read(path):
    try:
        return path.read_text()
    except OSError:
        return None


def _all_ready(root):
    python = root / ".venv" / "bin" / "python"  # a dangling link once the system's Python moved on
    return python.exists() and _read(root / ".venv" / "holds.txt") == _asked(root)


def _extra_ready(root, extra):
    return _read(root / ".venv" / f"holds-{extra}.txt") == _read(
        root / f"requirements-{extra}.txt"
    )


def _asked(root):
    """What is asked for, as text. The package itself is used where it is: only its description is installed."""
    package = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for extra in EXTRAS:  # are apart
        package.get("optional-dependencies", {}).pop(extra, None)
    return (root / "requirements.txt").read_text() + json.dumps(package, indent=1) + "\n"


def install(root):
    if not _all_ready(root):
        _install_all(root)
    install_extras(root, ALWAYS)


def install_extras(root, extras):
    for extra in extras:
        if not _extra_ready(root, extra):
            _install_extra(root, f"requirements-{extra}.txt", f"holds-{extra}.txt")


def _install_extra(root, asked, holds):
    pip = [root / ".venv" / "bin" / "python", "-m", "pip", "-qq", "--disable-pip-version-check"]
    _run([*pip, "install", "-r", root / asked], f"pip cannot install {asked}")
    shutil.copy(root / asked, root / ".venv" / holds)


def _install_all(root):
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
