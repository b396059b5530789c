# SPDX-License-Identifier: MIT
"""From reset to the first `>>>`, on the machines QEMU offers."""

import re
import shlex
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import pytest
from elapid.console import PROMPT, Console
from elapid.program import QEMU
from harness import ROOT, Target, TargetError
from machine_tree import machine_tree

SEED = (
    "qemu-system-aarch64 -machine virt,virtualization=on -cpu cortex-a53 "
    "-kernel hypervisor.elf -nographic -serial mon:stdio"
)


def option_rom():
    """True where QEMU finds the option ROM that its default network card wants."""
    search = subprocess.run([*QEMU, "-L", "help"], capture_output=True, text=True, check=True)
    return any((Path(line) / "efi-virtio.rom").exists() for line in search.stdout.split())


def test_plain_qemu_command_boots(image):
    """What a user types without make, and leaves by Ctrl-A X."""
    command = [*QEMU, *shlex.split(SEED)[1:]] + ([] if option_rom() else ["-nic", "none"])
    ours, theirs = socket.socketpair()
    qemu = subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs)
    theirs.close()
    try:
        console = Console(ours.fileno(), mux=True)
        assert b"MicroPython v1." in console.until(PROMPT, 20)
        console.send(b"print(6 * 7)\r")
        assert b"\r\n42\r\n" in console.until(PROMPT)
        console.send_keys(b"\x01x")
        assert qemu.wait(100) == 0
    finally:
        qemu.kill()
        qemu.wait()
        ours.close()


@pytest.mark.parametrize(
    "options",
    [
        {"gic": 2},
        {"gic": 3},
        {"gic": 2, "smp": 4},
        {"gic": 3, "smp": 4},
        {"mem": "4G"},
        {"mem": "128M", "smp": 4},
        {"secure": True},
        {"secure": True, "gic": 3, "smp": 4},
        {"icount": True},
    ],
    ids=lambda options: " ".join(f"{k}={v}" for k, v in options.items()),
)
def test_machines(boot, options):
    target = boot(**options)
    assert target.repl("print(6 * 7)") == "42"
    assert target.eval("1 << 100") == 1 << 100


def test_flat_image_boots(boot):
    """hypervisor.bin is an arm64 Image; the device tree's address then comes in x0."""
    header = (ROOT / "hypervisor.bin").read_bytes()[:64]
    assert header[56:60] == b"ARM\x64"
    assert struct.unpack("<Q", header[16:24])[0] >= (ROOT / "hypervisor.bin").stat().st_size
    assert boot(kernel="hypervisor.bin", gic=3, mem="1G").repl("print('here')") == "here"


def test_image_is_small():
    assert (ROOT / "hypervisor.bin").stat().st_size < 896 * 1024  # CONTRIBUTING.md


def test_banner_names_board_and_exception_level(boot):
    banner = re.search(r"MicroPython v1\.\d+.*", boot().console)[0]
    assert "EL2" in banner and "QEMU" in banner, banner


def test_names(target):
    assert "EL2" in target.eval("__import__('os').uname().machine")
    assert "EL2" in target.eval("__import__('sys').implementation._machine")
    assert target.eval("__import__('sys').implementation._build") == "QEMU_VIRT"
    assert target.eval("__import__('sys').maxsize") == (1 << 63) - 1


@pytest.mark.parametrize(("gic", "smp"), [(2, 1), (3, 4)])
def test_without_virtualization_it_is_plain_micropython(image, gic, smp):
    """One line says what to pass for a hypervisor; all but virtual machines is there."""
    target = Target(virtualization=False, gic=gic, smp=smp).boot()
    try:
        assert "start QEMU with -machine virt,virtualization=on\n" in target.console
        assert "at EL1" in target.console
        assert target.repl("6 * 7") == "42"
        target.exec("import time, hv\nt = time.ticks_ms()\ntime.sleep_ms(200)")
        assert 200 <= target.eval("time.ticks_diff(time.ticks_ms(), t)")
        assert target.eval("hv.platform()['boot_el']") == 1
        with pytest.raises(TargetError, match="virtual machines need EL2"):
            target.exec("hv.VM('test')")
        with pytest.raises(TargetError, match="cannot read 4 bytes at 0x0"):
            target.exec("import machine; machine.mem32[0]")
        assert target.eval("hv.regs.MIDR_EL1.read()") == 0x410FD034
        with pytest.raises(TargetError, match="HCR_EL2 cannot be read"):
            target.exec("hv.regs.HCR_EL2.read()")
        assert target.eval("1.5 ** 2") == 2.25
        target.soft_reset()
        target.exec("import machine")
        target.send(b"machine.reset()\r")
        target.until("at EL1", 20)
        target.wait_prompt()
    finally:
        target.close()


def test_reset_button(boot):
    target = boot()
    target.exec("before = 1")
    target.reset()
    assert "NameError" in target.repl("before")


def test_gdb_finds_symbols():
    """What `make debug` gives: source lines for the reset entry."""
    if not shutil.which("gdb-multiarch"):
        pytest.skip("no gdb-multiarch")
    done = subprocess.run(
        ["gdb-multiarch", "-batch", "-ex", "info line _start", "hypervisor.elf"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert 'start.S"' in done.stdout, done.stdout + done.stderr


def reordered_tree(tmp_path, smp, order):
    """QEMU's own tree, with core `order[i]` in the i-th cpu node."""
    tree = machine_tree(tmp_path, "virtualization=on", "-smp", str(smp), "-m", "128M")
    data = bytearray(tree.read_bytes())
    strings = struct.unpack_from(">I", data, 12)[0]
    names = data[strings:].split(b"\0reg\0")[0]
    reg = len(names) + 1
    for i, core in enumerate(order):
        node = data.index(struct.pack(">I", 1) + f"cpu@{i}\0".encode())
        at = data.index(struct.pack(">III", 3, 4, reg), node) + 12
        struct.pack_into(">I", data, at, core)
    # Without the room that QEMU leaves in it, or it would not fit below the image.
    structure, strings, _, _, _, _, strings_size, structure_size = struct.unpack_from(
        ">8I", data, 8
    )
    size = max(structure + structure_size, strings + strings_size)
    struct.pack_into(">I", data, 4, size)
    tree.write_bytes(data[:size])
    return tree


@pytest.mark.parametrize("order", [(1, 0), (3, 2, 0, 1), (2, 1, 3, 0), (9, 1, 0, 3), (3, 1, 2, 7)])
def test_core_0_boots_wherever_the_tree_has_it(boot, tmp_path, order):
    """A core's number is its place in the tree, but for the one that boots, which is 0. VMs run on the one
    they are pinned to; a core that the tree tells of, but is not there, is not waited for.
    """
    smp = len(order)
    target = boot(smp=smp, args=["-dtb", str(reordered_tree(tmp_path, smp, order))])
    there = [core for core in order if core < smp]
    numbers = [0, *(core for core in order if core != 0)] if 0 in order else [0, *order]
    script = """
import hv, struct, time
for core in range(cores):
    with hv.VM("pinned", ram="2M") as vm:
        vm.memory[0x4008_0000:0x4008_0008] = struct.pack("<2I", 0xD4002002, 0x14000000)  # hvc #0x100
        vm.cpu[0].reset(0x4008_0000)
        vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
        vm.cpu[0].pin = core
        vm.start()
        until = time.ticks_add(time.ticks_ms(), 60_000 if core in there else 300)
        while vm.running and time.ticks_diff(until, time.ticks_ms()) > 0:
            time.sleep_ms(1)
        vm.pause()
        print(core, vm.exit is not None and vm.exit.reason)
"""
    cores = len(numbers)
    present = [n for n, core in enumerate(numbers) if core < smp]
    assert there
    text = target.exec(f"cores, there = {cores}, {present}\n{script}", 60)
    want = [f"{n} {'stop' if n in present else False}" for n in range(cores)]
    assert text.splitlines() == want
