# SPDX-License-Identifier: MIT
"""U-Boot and EDK2, Debian's builds for QEMU, from flash at 0 to their prompts; what they store stays."""

import subprocess
import sys

import pytest
from harness import ROOT

GUESTS = ROOT / "build/guests-debian"
DISK = "-device virtio-blk-device,drive=disk -drive"
DISK += f" if=none,id=disk,format=raw,readonly=on,file=fat:{GUESTS}"

SCRIPT = """
import hv
vm = hv.VM("firmware", ram="128M")
vm.flash(0, "64M")
vm.flash(0x400_0000, "64M")
vm.load("/disk/{}", at=0)
"""

pytestmark = pytest.mark.timeout(3000)


@pytest.fixture(scope="module", autouse=True)
def guests():
    """Fetched from Debian's archive the first time."""
    names = ("u-boot", "edk2", "6.1-cloud")
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", *names], check=True)


def start(boot, file, more="", **options):
    target = boot(mem="1G", args=DISK.split(), **options)
    target.exec(SCRIPT.format(file) + more, seconds=30)
    target.send(b"vm.run()\r")
    return target


@pytest.mark.parametrize("gic", [2, 3])
def test_u_boot(boot, gic):
    target = start(boot, "u-boot/u-boot.bin", gic=gic)
    target.until("DRAM:  128 MiB", seconds=60)
    target.until("Flash: 64 MiB", seconds=60)
    target.until("autoboot", seconds=60)
    target.send(b" ")
    target.until("\n=> ", seconds=60)
    target.send(b"version\r")
    target.until("\nU-Boot 2023.01", seconds=30)
    target.until("\n=> ", seconds=30)
    target.send(b"setenv word kept; saveenv\r")
    target.until("OK", seconds=60)
    target.until("\n=> ", seconds=30)
    target.send(b"reset\r")
    target.until("Loading Environment from Flash... OK", seconds=60)
    target.until("autoboot", seconds=60)
    target.send(b" ")
    target.until("\n=> ", seconds=60)
    target.send(b"printenv word\r")
    target.until("word=kept", seconds=30)
    target.until("\n=> ", seconds=30)
    target.send(b"poweroff\r")
    target.until("<Exit off", seconds=30)


WORD = b"setvar Word -guid 5a17ed00-0000-4000-8000-00000000beef"


def shell(target):
    target.until("startup.nsh", seconds=120)
    target.send(b"\r")
    target.until("Shell> ", seconds=60)


def test_edk2(boot):
    target = start(boot, "edk2/QEMU_EFI.fd", gic=3)
    target.until("UEFI firmware", seconds=60)
    shell(target)
    target.send(b"ver\r")
    target.until("UEFI Interactive Shell v2.2", seconds=30)
    target.until("Shell> ", seconds=30)
    target.send(WORD + b' -nv -bs ="kept"\r')
    target.until("Shell> ", seconds=30)
    target.send(b"reset\r")
    shell(target)
    target.send(WORD + b"\r")
    target.until("6B 65 70 74", seconds=30)
    target.until("Shell> ", seconds=30)
    target.send(b"reset -s\r")
    target.until("<Exit off", seconds=30)


# The machine's own disk, which /disk is on, is the guest's too.
STORAGE = """
import machine
vm.close()
vm = hv.VM("firmware", ram="512M")
vm.flash(0, "64M")
vm.flash(0x400_0000, "64M")
vm.block(machine.Disk(), readonly=True)
vm.load("/disk/{}", at=0)
"""


def linux_answers(target):
    target.until("/ # ", seconds=120)
    target.send(b"echo $((6*7))-$(uname -m)\r")
    target.until("\n42-aarch64\n", seconds=30)
    target.send(b"poweroff -f\r")
    target.until("<Exit off", seconds=60)


def test_u_boot_boots_linux_from_storage(boot):
    file = "u-boot/u-boot.bin"
    target = start(boot, file, STORAGE.format(file))
    target.until("autoboot", seconds=60)
    target.send(b" ")
    for line in (
        "setenv bootargs console=ttyAMA0 quiet",
        "load virtio 0:1 0x42000000 6.1-cloud/vmlinuz",
        "load virtio 0:1 0x48000000 6.1-cloud/initrd.gz",
    ):
        target.until("\n=> ", seconds=60)
        target.send(line.encode() + b"\r")
    target.until("\n=> ", seconds=60)
    target.send(b"booti 0x42000000 0x48000000:$filesize $fdtcontroladdr\r")
    linux_answers(target)


def test_edk2_boots_linux_from_storage(boot):
    """The kernel's EFI stub, in one read of 27 MB, with its initrd from the same file system."""
    file = "edk2/QEMU_EFI.fd"
    target = start(boot, file, STORAGE.format(file), gic=3)
    shell(target)
    target.send(b"FS0:\r")
    target.until("FS0:\\>", seconds=30)
    target.send(b"cd 6.1-cloud\r")
    target.until("6.1-cloud\\>", seconds=30)
    target.send(b"vmlinuz initrd=\\6.1-cloud\\initrd.gz console=ttyAMA0 quiet\r")
    linux_answers(target)
