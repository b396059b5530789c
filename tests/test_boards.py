# SPDX-License-Identifier: MIT
"""One hypervisor.bin on machines that are not QEMU's virt: other UARTs, interrupt controllers, ways to start cores."""

import os
import shlex
import socket
import subprocess
import sys

import pytest
from elapid.program import QEMU, machines, version
from harness import ROOT, Target
from machine_tree import tree_without_gicv
from test_smp import storm
from test_vgic import between_two_cpus, every_register

# What hv.platform() says there. QEMU 7.2 has not all of them: make test QEMU=...
BOARDS = {
    "ZCU102": {"cpus": 4, "gic": 2, "ram_base": 0, "uart": 0xFF00_0000, "psci": True},
    "RPI3": {"cpus": 4, "gic": 0, "ram_base": 0, "uart": 0x3F20_1000, "psci": False},
    "SOFT": {"cpus": 4, "gic": 2, "ram_base": 0x4000_0000, "uart": 0x0900_0000, "psci": True},
    "VERSAL": {"cpus": 2, "gic": 3, "ram_base": 0, "uart": 0xFF00_0000, "psci": True},
    "RPI4": {"cpus": 4, "gic": 2, "ram_base": 0, "uart": 0xFE20_1000, "psci": False},
    "IMX8MP": {"cpus": 4, "gic": 3, "ram_base": 0x4000_0000, "uart": 0x3086_0000, "psci": True},
}
NEWER = {"RPI4": "raspi4b", "IMX8MP": "imx8mp-evk"}


def needs(board):
    if board in NEWER and NEWER[board] not in machines():
        pytest.skip(f"QEMU {version()} has no {NEWER[board]}")


def command(board, folder):
    """QEMU's command line, as `make run BOARD=...` would have it."""
    if board == "SOFT":
        line = "-machine virt,virtualization=on,gic-version=2 -cpu cortex-a53"
        line += " -smp 4 -m 128M -nic none -kernel hypervisor.elf -dtb"
        return [
            *QEMU,
            *shlex.split(line),
            str(tree_without_gicv(folder, "-smp", "4", "-m", "128M")),
        ]
    make = ["make", "-s", "--no-print-directory", "-o", "all", "command", f"BOARD={board}"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    return shlex.split(done.stdout)


@pytest.fixture(scope="module", params=BOARDS)
def board(request, image, tmp_path_factory):
    needs(request.param)
    folder = tmp_path_factory.mktemp("board")
    machine = Target(command=command(request.param, folder))
    machine.name = request.param
    machine.boot()
    yield machine
    machine.close()


def test_machine(board):
    found = board.eval("__import__('hv').platform()")
    assert {key: found[key] for key in BOARDS[board.name]} == BOARDS[board.name]


def test_input(board):
    """Typed bytes come by the UART's own interrupt, more than its FIFO holds, and Ctrl-C ends a loop."""
    line = "len('" + "x" * 300 + "')"
    assert board.repl(line) == "300"
    board.repl("while True: print('on and on')")
    board.send(b"\r")
    board.until("\non and on\n")
    assert "KeyboardInterrupt" in board.interrupt()


def test_mpremote(board):
    board.mpremote("cp", "build/guests/hello.elf", ":hello.elf")
    text = board.mpremote("run", "examples/launch_guest.py")
    assert "python: the guest asks for" in text and "<Exit off" in text


def test_interrupt_controller(board):
    """The same checks as on virt: each register, the timers, SGIs and targets."""
    every_register(board)
    between_two_cpus(board)


def test_storm_on_all_cores(board):
    """More vCPUs than cores: SGIs, WFI, both timers; none lost, none doubled."""
    storm(board, rounds=2048)
    storm(board, timers=100, rounds=100, cpus=8)


def test_card(image, tmp_path):
    """An SD card's image: the kernel on it finds the tree behind itself when the loader hands over none."""
    make = ["make", "-s", "--no-print-directory", "-o", "all", "image", "BOARD=RPI3"]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    card = ROOT / "build/boards/RPI3.img"
    assert card.read_bytes()[510:512] == b"\x55\xaa"
    names = ("::kernel8.img", "::config.txt", "::README.txt")
    subprocess.run(["mcopy", "-i", f"{card}@@1M", *names, tmp_path], check=True)
    assert "kernel=kernel8.img" in (tmp_path / "config.txt").read_text()
    kernel = str(tmp_path / "kernel8.img")
    (tmp_path / "initrd").write_bytes(b"by its tag")
    line = [*QEMU, "-machine", "raspi3b", "-kernel", kernel]
    machine = Target(command=[*line, "-initrd", str(tmp_path / "initrd")])
    try:
        machine.boot()
        assert machine.eval("bytes(__import__('hv').initrd())") == b"by its tag"
        assert machine.eval("__import__('hv').platform()['model']") == "Raspberry Pi 3"
    finally:
        machine.close()


def test_serve_and_the_second_line(image):
    """`make serve BOARD=`: the prompt for mpremote, and the board's second UART as hv.serial(1)."""
    make = ["make", "-s", "--no-print-directory", "-o", "all"]
    subprocess.run([*make, "stop"], cwd=ROOT, check=True, capture_output=True)
    done = subprocess.run(
        [*make, "serve", "BOARD=RPI3"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert done.returncode == 0
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(60)
            line.connect(os.path.relpath(ROOT / "build/line1"))
            line.sendall(b"to the target")
            code = "import hv, machine, time; s = hv.serial(1); assert machine.UART(1) is s\nwhile s.any() < 2: time.sleep_ms(1)\n"
            code += "print(s.read(2)); s.write(b'to the host')"
            mpremote = [sys.executable, "-m", "mpremote", "connect", done.stdout.split()[-1]]
            done = subprocess.run(
                [*mpremote, "exec", code], timeout=100, capture_output=True, text=True
            )
            assert "b'to'" in done.stdout, done.stdout + done.stderr
            assert line.recv(2, socket.MSG_WAITALL) == b"to"
    finally:
        subprocess.run([*make, "stop"], cwd=ROOT, check=True, capture_output=True)


def test_gdb_on_the_prompts_own_line(image):
    """`make gdb BOARD= CONSOLE=1`: the prompt gives way to gdb's packets, and is back when it detaches, or is killed."""
    make = ["make", "-s", "--no-print-directory", "-o", "all"]
    subprocess.run([*make, "stop"], cwd=ROOT, check=True, capture_output=True)
    try:
        for end in ("detach", "shell kill -9 $$PPID"):
            words = (
                f"-batch -ex 'break print_dec' -ex continue -ex bt -ex 'monitor 6*7' -ex '{end}'"
            )
            done = subprocess.run(
                [*make, "gdb", "BOARD=RPI3", "CONSOLE=1", f"GDB_ARGS={words}"],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert "in guest_main" in done.stdout and "42\n" in done.stdout, done
            pty = (ROOT / "build/pty").read_text().strip()
            mpremote = [sys.executable, "-m", "mpremote", "connect", pty, "resume", "exec"]
            code = "print(vm, len(hv.serial())); vm.reset()"
            said = subprocess.run([*mpremote, code], timeout=100, capture_output=True, text=True)
            assert said.stdout.startswith("<VM guest") and said.stdout.endswith(" 2\n"), said
    finally:
        subprocess.run([*make, "stop"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("line", ["machine.reset()", "hv.poweroff()"])
def test_watchdog_of_a_pi(image, line):
    """Where no firmware is left to ask, a Raspberry Pi's watchdog resets it and switches it off."""
    machine = Target(command=command("RPI3", None))
    try:
        machine.boot()
        machine.repl("import hv, machine")
        machine.send(line + "\r")
        if "reset" in line:
            machine.until("MicroPython v")
            machine.wait_prompt()
            assert machine.repl("1 + 1") == "2"
        else:
            machine.wait_off()
    finally:
        machine.close()


def test_a_machine_that_this_qemu_has_not():
    """It is said what is missing, not left to QEMU."""
    call = [sys.executable, "-m", "elapid.program"]
    assert subprocess.run([*call, "virt", "2.6"], cwd=ROOT).returncode == 0
    done = subprocess.run([*call, "raspi9", "99.0"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"is {version()}, and has no machine raspi9: QEMU 99.0 or newer has" in done.stderr


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", BOARDS)
def test_linux(image, name, tmp_path):
    """Debian's kernel as a guest, from /rom, with as many vCPUs as the machine has cores."""
    needs(name)
    fetch = [sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud"]
    subprocess.run(fetch, check=True)
    folder, rom = tmp_path / "rom", tmp_path / "rom.romfs"
    folder.mkdir()
    for file in ("vmlinuz", "initrd.gz"):
        (folder / file).symlink_to(ROOT / "build/guests-debian/6.1-cloud" / file)
    mpremote = [sys.executable, "-m", "mpremote", "romfs", "--no-mpy", "--output", rom]
    subprocess.run([*mpremote, "build", folder], check=True, capture_output=True)
    line = command(name, tmp_path)
    line = ["hypervisor.bin" if word == "hypervisor.elf" else word for word in line]
    line = ["512M" if word == "128M" else word for word in line]
    machine = Target(command=[*line, "-initrd", str(rom)])
    try:
        machine.boot()
        machine.exec(f"import hv\nvm = hv.VM('linux', ram='256M', cpus={BOARDS[name]['cpus']})")
        arguments = "'/rom/vmlinuz', initrd='/rom/initrd.gz', cmdline='console=ttyAMA0'"
        machine.exec(f"vm.linux({arguments})", seconds=60)
        machine.send("vm.attach()\r")
        machine.until("/ # ", seconds=200)
        machine.send("nproc; echo and so on\r")
        assert machine.until("\nand so on\n", 30).splitlines()[-2] == str(BOARDS[name]["cpus"])
        machine.send("poweroff -f\r")
        machine.wait_prompt(60)
    finally:
        machine.close()
