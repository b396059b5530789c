# SPDX-License-Identifier: MIT
"""make dist: what is needed to use Elapid without building it, in dist/.

hypervisor.bin and .elf, a wheel of `elapid` that has them inside, the editor's stubs of the target's modules, SHA256SUMS.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import look_assets
from elapid import __version__
from elapid.say import Stop, say

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
STAGE = ROOT / "build" / "dist"
IMAGES = ("hypervisor.bin", "hypervisor.elf")
# What `elapid look` begins with, and what one can play there.
LOOK = (ROOT / "build" / "guests" / "pulse.elf", ROOT / "docs" / "first-hour.md")


def wheel():
    """Built from a copy: in the source tree itself the package takes the images that make has built last."""
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.copytree(
        ROOT / "tools/elapid",
        STAGE / "tools/elapid",
        ignore=shutil.ignore_patterns("__pycache__", "data", "lib"),
    )
    shutil.copytree(look_assets.INTO, STAGE / "tools/elapid/look/static/lib")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, STAGE)
    data = STAGE / "tools/elapid/data"
    data.mkdir()
    for path in (*[ROOT / name for name in IMAGES], *LOOK):
        shutil.copy(path, data)
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "wheel"]
    command += ["--no-deps", "--no-build-isolation", "--wheel-dir", DIST, STAGE]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"SOURCE_DATE_EPOCH": when()}
    )
    if done.returncode:
        raise Stop(
            f"pip cannot build the wheel: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
        )


def when():
    """The commit's time, so that the same tree makes the same files; 1980, where zip's time begins, without git."""
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() or "315532800"


def stubs():
    with zipfile.ZipFile(
        DIST / f"elapid-stubs-{__version__}.zip", "w", zipfile.ZIP_DEFLATED
    ) as file:
        for path in sorted((ROOT / "typings").rglob("*.pyi")):
            file.writestr(
                zipfile.ZipInfo(str(path.relative_to(ROOT / "typings"))), path.read_text()
            )


def main():
    if not look_assets.ready():
        look_assets.fetch()
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    for name in IMAGES:
        shutil.copy(ROOT / name, DIST)
    wheel()
    stubs()
    files = sorted(DIST.iterdir())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (DIST / "SHA256SUMS").write_text("".join(sums))
    for path in files:
        say(f"{path.relative_to(ROOT)}, {path.stat().st_size >> 10} KB")


if __name__ == "__main__":
    try:
        main()
    except Stop as stop:
        sys.exit(f"elapid: {stop}")
