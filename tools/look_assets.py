# SPDX-License-Identifier: MIT
"""What the page of `elapid look` has from the npm registry, into build/look: a terminal and a chart. None of it is in git.

npm fetches it, and a digest here says that it is what was looked at. A newer one: its version and what `--digests` prints.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import host
from elapid.say import Stop, say

ROOT = Path(__file__).resolve().parent.parent
INTO = ROOT / "build" / "look"
# Package, its version, SHA-256 of the archive, and which of its files.
PACKAGES = (
    (
        "@xterm/xterm",
        "6.0.0",
        "908e66e04af6c8dc6b00dd3b54de088e2e81e5ed866284fd6c2fb3c2d1c7a3f6",
        ("lib/xterm.js", "css/xterm.css"),
    ),
    (
        "@xterm/addon-fit",
        "0.11.0",
        "26003b4517a132b64e4ff228fd88a5fda3fff5e606c76093f6dcff772e9ecec0",
        ("lib/addon-fit.js",),
    ),
    (
        "uplot",
        "1.6.32",
        "4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d",
        ("dist/uPlot.iife.min.js", "dist/uPlot.min.css"),
    ),
    (
        "morphdom",
        "2.7.8",
        "06bfcd3edc6dcb0fcaa4e6f2aab28656830fd29816bfc96553c6d221bfab4bf3",
        ("dist/morphdom-umd.min.js",),
    ),
)
STAMP = json.dumps(PACKAGES)


def ready():
    try:
        return (INTO / "holds.json").read_text() == STAMP
    except OSError:
        return False


def packed(folder, name, version):
    """The archive of a package, as npm fetches it."""
    command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", folder]
    done = subprocess.run(
        [*command, f"{name}@{version}"], cwd=folder, capture_output=True, text=True, timeout=300
    )
    found = list(Path(folder).glob(f"*{version}.tgz"))
    if done.returncode or not found:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise Stop(f"npm cannot fetch {name} {version}: {lines[-1]}")
    return found[0]


def fetch():
    host.need("npm", "npm")
    say("fetching the page's terminal and chart from the npm registry")
    INTO.mkdir(parents=True, exist_ok=True)
    for name, version, digest, files in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            archive = packed(folder, name, version)
            seen = hashlib.sha256(archive.read_bytes()).hexdigest()
            if "--digests" in sys.argv:
                print(name, seen)
            elif seen != digest:
                raise Stop(f"{name} {version} is not what it was: SHA-256 {seen}, not {digest}")
            with tarfile.open(archive) as tar:
                for file in (*files, "LICENSE"):
                    as_name = (
                        f"LICENSE.{Path(name).name}" if file == "LICENSE" else Path(file).name
                    )
                    (INTO / as_name).write_bytes(tar.extractfile(f"package/{file}").read())
    (INTO / "holds.json").write_text(STAMP)


if __name__ == "__main__":
    try:
        if not ready():
            fetch()
    except Stop as stop:
        sys.exit(f"elapid: {stop}")
