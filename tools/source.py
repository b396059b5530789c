# SPDX-License-Identifier: MIT
"""MicroPython's source: found, checked against a pinned SHA-256, unpacked at build/micropython, patched.

Sources in order: MICROPY_DIR; Debian's source packages, from the archive this machine's apt uses;
upstream's tag by git. A source that is out of reach, or that the patches are not for, leads to the
next one. A wrong hash ends the run.

Each file of PATCHES says on top why it is needed. MICROPY_DIR is left as it is: what the build needs
of it is copied to build/micropython-own, anew when anything in there has changed, and patched there.
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import archive
from elapid.say import Stop, say

DEBIAN = (
    ("1.26.1+ds", "f5ad2ec89d3e921f753d448955af98b6005655f84ba26087dde6ba0e8d062f34"),
    ("1.25.0+ds", "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea"),
)
POOL = ("pool/main/m/micropython/", "pool/universe/m/micropython/")  # Debian's, Ubuntu's
GIT = "https://github.com/micropython/micropython.git"
GIT_TAG = "v1.26.1"
# A clone has no archive to hash, so what goes into the build is hashed instead: tree_hash().
GIT_TREE = "7a91c81878943d12c1aa91b4f51ff71dfd2210120bf6fc7f04ff514aa41fa400"
GIT_PARTS = (
    "py extmod shared mpy-cross lib/crypto-algorithms lib/libm lib/libm_dbl lib/littlefs "
    "lib/oofatfs lib/re1.5 lib/uzlib tools/makemanifest.py tools/manifestfile.py tools/mpy-tool.py"
).split()

STAMP = (
    ".elapid-source"  # inside the tree: the hash it was checked against, and that of the patches
)
PATCHES = Path(__file__).resolve().parent.parent / "ports/aarch64/patches"


def ready(root):
    own = os.environ.get("MICROPY_DIR")
    if own:
        if not (Path(own) / "py" / "mpconfig.h").is_file():
            raise Stop(f"MICROPY_DIR={own} is not a MicroPython source tree: no py/mpconfig.h")
        return _stamp(root / "build" / "micropython-own") == _stamp_of(_state(Path(own)))
    stamp = _stamp(root / "build" / "micropython")
    return stamp in [_stamp_of(pin) for pin in (GIT_TREE, *(sha256 for _, sha256 in DEBIAN))]


def install(root):
    build = root / "build"
    own = os.environ.get("MICROPY_DIR")
    if own:
        with _Staging(build) as stage:
            _copy(Path(own), stage / "own")
            try:
                _put(stage / "own", build / "micropython-own", _state(Path(own)))
            except OSError as error:
                raise Stop(f"MICROPY_DIR={own}: {error}") from None
        return
    failures = []
    for version, sha256 in DEBIAN:
        name = f"micropython_{version}.orig.tar.xz"
        try:
            tarball = _from_archive(name, sha256, build / "downloads")
        except OSError as error:
            failures.append(str(error))
            continue
        say(f"unpacking {name} at build/micropython")
        with _Staging(build) as stage:
            _unpack(tarball, stage)
            try:
                _put(next(stage.iterdir()), build / "micropython", sha256)
            except OSError as error:
                failures.append(f"{name}: {error}")
                continue
        return
    with _Staging(build) as stage:
        try:
            _clone(stage / "git")
        except OSError as error:
            failures.append(str(error))
            raise Stop(
                "no source of MicroPython within reach (" + "; ".join(failures) + "); "
                "set MICROPY_DIR to an unpacked MicroPython 1.26"
            ) from None
        found = tree_hash(stage / "git")
        if found != GIT_TREE:
            raise Stop(f"{GIT} {GIT_TAG}: tree hash is {found}, expected {GIT_TREE}")
        try:
            _put(stage / "git", build / "micropython", GIT_TREE)
        except OSError as error:
            raise Stop(f"{GIT} {GIT_TAG}: {error}") from None


class _Staging:
    """A directory beside the final place, gone at the end whatever happens."""

    def __init__(self, build):
        self.path = build / f".micropython-{os.getpid()}"

    def __enter__(self):
        self.path.mkdir(parents=True)
        return self.path

    def __exit__(self, *exception):
        shutil.rmtree(self.path, ignore_errors=True)


def _from_archive(name, sha256, downloads):
    """The checked tarball's path: from an earlier run, or from the first mirror that has it."""
    final = downloads / name
    if final.is_file():
        if file_hash(final) == sha256:
            return final
        say(f"{final} is damaged, fetching it again")
        final.unlink()
    mirrors = archive.mirrors()
    if not mirrors:
        raise OSError(f"{name}: no archive in apt's configuration")
    downloads.mkdir(parents=True, exist_ok=True)
    part = downloads / f"{name}.part"
    failure = None
    for address in (mirror + pool + name for mirror in mirrors for pool in POOL):
        part.unlink(missing_ok=True)
        try:
            archive.fetch(address, part)
        except OSError as error:
            failure = failure or error
            continue
        found = file_hash(part)
        if found != sha256:
            part.unlink()
            raise Stop(f"{address}: SHA-256 is {found}, expected {sha256}")
        say(f"fetched {address}")
        part.rename(final)
        return final
    raise failure


def _unpack(tarball, where):
    done = subprocess.run(["tar", "-xf", tarball, "-C", where], capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["tar failed"]
        raise Stop(f"cannot unpack {tarball}: {lines[0]}")


def _clone(where):
    say(f"cloning {GIT} at {GIT_TAG}")
    slow = ["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30"]
    quiet = ["-c", "advice.detachedHead=false", "clone", "--quiet", "--depth", "1"]
    done = subprocess.run(
        ["git", *slow, *quiet, "--branch", GIT_TAG, GIT, where],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["git failed"]
        raise OSError(f"git clone: {lines[-1]}")


def _version(tree):
    """As "1.26"; "" where it cannot be told."""
    text = (tree / "py/mpconfig.h").read_text() if (tree / "py/mpconfig.h").exists() else ""
    return ".".join(re.findall(r"^#define MICROPY_VERSION_(?:MAJOR|MINOR) (\d+)", text, re.M))


def _patches(tree):
    """Those for this tree: of each name, the one in the folder of its version if there is one."""
    for patch in sorted(PATCHES.glob("*.patch")):
        own = PATCHES / _version(tree) / patch.name
        yield own if own.exists() else patch


def _patch(tree):
    """All of the patches, or OSError that names the first that is not for this tree."""
    # Where git finds no repository around, it takes paths as they are.
    env = os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.resolve().parent)}
    for patch in _patches(tree):
        done = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", patch],
            cwd=tree,
            capture_output=True,
            text=True,
            env=env,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["git apply failed"]
            raise OSError(f"{patch.name} does not apply: {lines[0].removeprefix('error: ')}")


def _stamp(tree):
    try:
        return (tree / STAMP).read_text()
    except OSError:
        return None


def _stamp_of(sha256):
    """What is written into a tree with that hash: the patches count, too."""
    return " ".join(
        [sha256, *(file_hash(patch)[:16] for patch in sorted(PATCHES.rglob("*.patch")))]
    )


def _files(top):
    """What the build needs of a tree."""
    for part in (*GIT_PARTS, "tests", "tools"):
        path = top / part
        yield from sorted(path.rglob("*")) if path.is_dir() else [path]


def _state(top):
    """One hash over the names, sizes and times of those files: MICROPY_DIR may be worked in."""
    whole = hashlib.sha256(str(top.resolve()).encode())
    for file in _files(top):
        if file.is_file() and file.parent.name != "__pycache__":
            stat = file.stat()
            whole.update(f"{file} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return whole.hexdigest()


def _copy(top, where):
    for file in _files(top):
        if file.is_file() and file.parent.name != "__pycache__":
            to = where / file.relative_to(top)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, to)


def _put(tree, final, sha256):
    """Patches the checked tree, moves it to its final place; what was there before is replaced."""
    _patch(tree)
    (tree / STAMP).write_text(_stamp_of(sha256))
    if final.is_symlink():
        final.unlink()
    elif final.exists():
        shutil.rmtree(final)
    tree.rename(final)


def file_hash(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_hash(top):
    """One SHA-256 over the paths and contents of everything below GIT_PARTS."""
    whole = hashlib.sha256()
    for part in GIT_PARTS:
        path = top / part
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            # What Python leaves behind when the build runs the tree's tools does not count.
            if path.is_dir() and (not file.is_file() or file.parent.name == "__pycache__"):
                continue
            name = file.relative_to(top).as_posix()
            whole.update(f"{file_hash(file) if file.is_file() else '-'}  {name}\n".encode())
    return whole.hexdigest()
