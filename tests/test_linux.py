# SPDX-License-Identifier: MIT
"""Debian's arm64 kernel, unmodified, to a shell: one and four vCPUs, GICv2 and GICv3."""

import subprocess
import sys

import pytest
from harness import ROOT

GUEST = ROOT / "build/guests-debian/6.1-cloud"
KERNEL, INITRD = (
    0x7A00_0000,
    0x7E00_0000,
)  # where QEMU puts the files: above what 1 GB leaves in use

SCRIPT = """
import hv, uctypes
vm = hv.VM("linux", ram="256M", cpus={cpus})
kernel = memoryview(uctypes.bytearray_at({kernel:#x}, {kernel_size}))
initrd = memoryview(uctypes.bytearray_at({initrd:#x}, {initrd_size}))
print(vm.linux(kernel, initrd=initrd, cmdline="console=ttyAMA0 quiet"))
"""


@pytest.fixture(scope="module")
def linux():
    """The kernel's and the initrd's paths; fetched from Debian's archive the first time."""
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud"], check=True)
    return GUEST / "vmlinuz", GUEST / "initrd.gz"


def boot_linux(boot, linux, cpus, **options):
    blobs = ""
    for path, at in zip(linux, (KERNEL, INITRD)):
        blobs += f" -device loader,file={path},addr={at:#x},force-raw=on"
    target = boot(mem="1G", args=blobs.split(), **options)
    sizes = [path.stat().st_size for path in linux]
    names = {"kernel": KERNEL, "kernel_size": sizes[0], "initrd": INITRD, "initrd_size": sizes[1]}
    target.exec(SCRIPT.format(cpus=cpus, **names), seconds=30)
    target.send(b"vm.run()\r")
    target.until(b"/ # ", seconds=60)
    return target


@pytest.mark.parametrize("cpus, smp", [(1, 1), (4, 4), (4, 1)])
@pytest.mark.parametrize("gic", [2, 3])
def test_shell_answers(boot, linux, gic, cpus, smp):
    target = boot_linux(boot, linux, cpus, gic=gic, smp=smp)
    target.send(b"echo $((6*7))-$(uname -m) $(nproc)\r")
    target.until(f"42-aarch64 {cpus}\r\n".encode(), seconds=10)
    target.send(b"poweroff -f\r")
    target.until(b"<Exit off", seconds=20)
    target.wait_prompt()


def test_background_kernel_and_a_live_prompt(boot, linux):
    """Linux goes on in the background: the prompt answers, and its console is a stream."""
    target = boot_linux(boot, linux, 1)
    target.interrupt()
    target.exec("vm.start()")
    assert target.repl("6 * 7") == "42"
    target.exec("vm.console.write(b'echo still-$((40+2))\\r')\nimport time\ntime.sleep(2)")
    assert "still-42" in target.exec("print(vm.console.read(4096))")
    assert target.repl("vm.running") == "True"
