# SPDX-License-Identifier: MIT
"""Debian's arm64 kernels, unmodified, to a shell: 6.1 and 6.12, cloud and generic, typed at."""

import hashlib
import subprocess
import sys
import time

import pytest
from harness import ROOT

GUESTS = ROOT / "build/guests-debian"
DISK = "-device virtio-blk-device,drive=disk -drive"
DISK += f" if=none,id=disk,format=raw,readonly=on,file=fat:{GUESTS}"

SCRIPT = """
import hv
vm = hv.VM("linux", ram="256M", cpus={cpus})
def load():
    at = "/disk/{kernel}/"
    vm.linux(at + "vmlinuz", initrd=at + "initrd.gz", cmdline="console=ttyAMA0 quiet")
load()
"""


@pytest.fixture(scope="module", autouse=True)
def guests():
    """Fetched from Debian's archive the first time."""
    names = ("6.1-cloud", "6.1", "6.12-cloud", "6.12")
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", *names], check=True)


def boot_linux(boot, kernel="6.1-cloud", cpus=1, **options):
    """A machine whose guest is at its shell."""
    target = boot(mem="512M", args=DISK.split(), **options)
    target.exec(SCRIPT.format(kernel=kernel, cpus=cpus), seconds=60)
    run(target)
    return target


def run(target):
    target.send(b"vm.run()\r")
    target.until(b"/ # ", seconds=120)


def power_off(target):
    target.send(b"poweroff -f\r")
    target.until(b"<Exit off", seconds=60)
    target.wait_prompt()


@pytest.mark.parametrize(
    ("kernel", "cpus", "gic", "smp"),
    [
        ("6.1-cloud", 1, 2, 1),
        ("6.1-cloud", 4, 3, 4),
        ("6.1-cloud", 4, 2, 1),
        ("6.1", 4, 2, 4),
        ("6.12-cloud", 4, 2, 4),
        ("6.12", 1, 3, 1),
        ("6.12", 4, 3, 4),
    ],
)
def test_shell_answers(boot, kernel, cpus, gic, smp):
    target = boot_linux(boot, kernel, cpus, gic=gic, smp=smp)
    target.send(b"echo $((6*7))-$(uname -m) $(nproc) $(uname -r)\r")
    answer = target.until(f"42-aarch64 {cpus} {kernel.split('-')[0]}.".encode(), seconds=30)
    assert "Oops" not in answer
    power_off(target)


@pytest.mark.parametrize(("cpus", "gic", "smp"), [(1, 3, 1), (4, 2, 4)])
def test_reboot_and_a_second_linux(boot, cpus, gic, smp):
    """`reboot -f` starts the guest anew, and after `poweroff -f` the VM takes another kernel."""
    target = boot_linux(boot, cpus=cpus, gic=gic, smp=smp)
    target.send(b"touch /before; reboot -f\r")
    target.until(b"/ # ", seconds=120)
    target.send(b"ls /before; echo $((6*7))\r")
    assert "No such file" in target.until(b"\n42\r\n", seconds=30).replace("\r", "")
    power_off(target)
    target.exec("load()", seconds=60)
    run(target)
    target.send(b"echo $((6*7))-$(uname -m)\r")
    target.until(b"42-aarch64\r\n", seconds=30)
    power_off(target)


def test_fast_typing_arrives_complete(boot):
    """100 lines at 10 kB/s, or as fast as the host manages."""
    target = boot_linux(boot)
    target.send(b"cat > /tmp/typed\r")
    target.until(b"typed\r\n")
    text = "".join([f"{n:03} the quick brown fox jumps over the lazy dog\n" for n in range(100)])
    for at in range(0, len(text), 50):
        target.send(text[at : at + 50].replace("\n", "\r"))
        time.sleep(0.005)  # a pace, not a deadline
    target.until(b"099 the quick brown fox jumps over the lazy dog\r\n", seconds=60)
    target.send(b"\x04md5sum /tmp/typed\r")
    target.until(hashlib.md5(text.encode()).hexdigest().encode(), seconds=30)


def test_background_kernel_and_a_live_prompt(boot):
    """Linux goes on in the background: the prompt answers, and its console is a stream."""
    target = boot_linux(boot)
    target.interrupt()
    target.exec("vm.start()")
    assert target.repl("6 * 7") == "42"
    script = """
import time
vm.console.write(b"echo still-$((40+2))\\r")
said = b""
while b"still-42" not in said:
    said += vm.console.read(4096) or b""
    time.sleep_ms(1)
"""
    target.exec(script, seconds=30)
    assert target.repl("vm.running") == "True"


def test_the_users_own_tree(boot):
    """dtb=: the one QEMU made for the machine itself, fitted to the VM, with a node added."""
    target = boot(mem="512M", args=DISK.split(), gic=3, smp=2)
    target.exec(
        """
import hv, uctypes
machine = hv.platform()
tree = hv.fdt.parse(uctypes.bytearray_at(machine["fdt"], machine["fdt_size"]))
tree.node("/chosen/mark")["text"] = "a user's"
vm = hv.VM("linux", ram="256M", cpus=2)
at = "/disk/6.1-cloud/"
vm.linux(at + "vmlinuz", at + "initrd.gz", cmdline="console=ttyAMA0 quiet", dtb=tree.pack())
""",
        seconds=60,
    )
    run(target)
    target.send(b"cat /proc/device-tree/chosen/mark/text; nproc; free | grep -c Mem\r")
    target.until("a user's\x002\n1\n", seconds=30)
    power_off(target)


def test_make_linux(image, terminal):
    """The one command: a shell, Ctrl-\\ back to the prompt while it runs on, and back again."""
    assert len((ROOT / "examples/linux.py").read_text().splitlines()) < 15
    user = terminal("make", "-s", "linux", "GIC=3")
    user.until(b"/ # ", seconds=120)
    user.type(b"echo $((6*7))-$(uname -m)\r")
    user.until(b"42-aarch64\n", seconds=30)
    user.type(b"\x1c")
    user.until(b">>> ", seconds=30)
    user.type(b"vm.running\r")
    user.until(b"\nTrue\n>>> ", seconds=30)
    user.type(b"vm.attach()\r\r")
    user.until(b"/ # ", seconds=30)
    user.type(b"poweroff -f\r")
    user.until(b"<Exit off", seconds=60)
    user.until(b">>> ", seconds=30)
    user.type(b"\x01x")
    assert user.process.wait(100) == 0


def test_installer_comes_to_its_first_menu(boot):
    """Debian's installer: kernel and initrd of the netboot image, its menus on the serial line."""
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", "installer"], check=True)
    target = boot(mem="1G", args=DISK.split())
    target.exec(
        """
import hv
vm = hv.VM("installer", ram="512M")
at = "/disk/installer/"
vm.linux(at + "linux", initrd=at + "initrd.gz", cmdline="console=ttyAMA0 quiet")
""",
        seconds=60,
    )
    target.send(b"vm.run()\r")
    target.until("Select a language", seconds=240)
    target.until("English", seconds=60)
    target.send(b"\r")
    target.until("Select your location", seconds=120)
