# SPDX-License-Identifier: MIT
"""Host packages: what is missing, and installing it with apt."""

import importlib.util
import os
import shutil
import subprocess
import sys

from elapid.say import Stop, say

# A command, or a file by its path, and the Debian packages that bring it.
NEEDS = (
    ("aarch64-linux-gnu-gcc", ("gcc-aarch64-linux-gnu",)),
    # ipxe-qemu: the option ROM without which QEMU's default network card stops it.
    ("qemu-system-aarch64", ("qemu-system-arm", "ipxe-qemu")),
    ("gdb-multiarch", ("gdb-multiarch",)),
    ("dtc", ("device-tree-compiler",)),
    ("mformat", ("mtools",)),  # make image
    ("make", ("make",)),
    ("gcc", ("gcc",)),  # mpy-cross runs on the host
    ("/usr/include/stdio.h", ("libc6-dev",)),
    ("git", ("git",)),
    ("xz", ("xz-utils",)),
    ("uncrustify", ("uncrustify",)),  # formats C as MicroPython does
)


def _there(need):
    return os.path.exists(need) if need.startswith("/") else shutil.which(need)


def missing():
    """The Debian packages still to be installed, as a list."""
    packages = []
    for need, names in NEEDS:
        if not _there(need):
            packages += names
    # Debian's python3 comes without ensurepip, and venv needs it.
    if not importlib.util.find_spec("ensurepip") or not importlib.util.find_spec("venv"):
        packages.append(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")
    return packages


def ready(root):
    return not missing()


def install(root):
    _apt_get(missing())
    left = missing()
    if left:
        raise Stop("apt-get succeeded, yet these are still missing: " + " ".join(left))


def need(command, *packages):
    """A program that one thing only asks for: installed when it is missing."""
    if not _there(command):
        _apt_get(packages)
    return shutil.which(command)


def _apt_get(packages):
    if not shutil.which("apt-get"):
        raise Stop(
            "not a Debian or Ubuntu machine; install the equivalent of: " + " ".join(packages)
        )
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() != 0:
        if not _passwordless_sudo():
            raise Stop(
                "packages are missing; run: sudo apt-get update && sudo " + " ".join(command)
            )
        command = ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", *command]
    say("installing " + " ".join(packages))
    # Package lists are often old, or empty in a container: refresh them once, then ask.
    update = command[: command.index("apt-get")] + ["apt-get", "update"]
    for step in (update, command):
        done = subprocess.run(
            step,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        )
        if done.returncode and step is command:
            sys.stdout.write(done.stdout)
            raise Stop(f"apt-get failed (status {done.returncode}): {' '.join(command)}")


def _passwordless_sudo():
    return (
        shutil.which("sudo") is not None
        and subprocess.run(
            ["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True
        ).returncode
        == 0
    )
