# SPDX-License-Identifier: MIT
"""UARTs that QEMU 7.2's machines with EL2 have not as their console: each as the prompt's line.

The Raspberry Pi's mini UART is its second one there, a 16550 comes on a PCI card, and the others are modelled by
Python: the prompt is that of the hypervisor's own image as a guest.
"""

import shutil
import socket
import subprocess

import pytest
from elapid.program import QEMU
from harness import ROOT, Target
from machine_tree import dtc, machine_tree
from test_boards import command, needs

TYPED = b"print('" + b"y" * 40 + b"')\r"


def talk(machine):
    """What is typed comes by interrupt, also more than a FIFO holds; Ctrl-C ends a loop; the rest goes out."""
    assert machine.repl("len('" + "x" * 300 + "')") == "300"
    assert machine.repl("'y' * 3000") == repr("y" * 3000)
    machine.repl("while True: print('on and on')")
    machine.send(b"\r")
    machine.until("\non and on\n")
    assert "KeyboardInterrupt" in machine.interrupt()


@pytest.mark.parametrize("board", ["RPI3", "RPI4"])
def test_mini_uart(image, tmp_path, board):
    """Where the firmware's tree has it as the console, which is the rule on a Raspberry Pi."""
    needs(board)
    line = command(board, tmp_path)
    at = line.index("-dtb") + 1
    tree = tmp_path / "mini.dtb"
    shutil.copy(ROOT / line[at], tree)
    subprocess.run(["fdtput", "-t", "s", tree, "/chosen", "stdout-path", "serial1"], check=True)
    line[at] = str(tree)
    machine = Target(command=[*line, "-serial", "null"])
    try:
        machine.boot()
        base = machine.eval("__import__('hv').platform()['uart']")
        assert base & 0xFF_FFFF == 0x21_5040
        talk(machine)
    finally:
        machine.close()


PCI_CONFIG = 0x40_1000_0000 + (1 << 15)  # of device 1
CARD = """
    serial@3eff1000 {
        compatible = "ns16550a";
        reg = <0x00 0x3eff1000 0x00 0x08>;
        interrupts = <0x00 0x04 0x04>;
        reg-io-width = <0x01>;
    };
"""


def qtest(path, *commands):
    """What firmware would do, by QEMU's own test protocol."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        for each in commands:
            line.sendall(each.encode() + b"\n")
            assert line.recv(100).startswith(b"OK")


class WithCard(Target):
    """Before its first instruction the card has its address."""

    def monitor(self, what, seconds=5):
        if what == "cont":
            bar, on = f"writel {PCI_CONFIG + 0x10:#x} 0x1001", f"writew {PCI_CONFIG + 4:#x} 1"
            qtest(self.command[self.command.index("-qtest") + 1][5:].split(",")[0], bar, on)
        return super().monitor(what, seconds)


def test_16550(image, tmp_path):
    """Of 8-bit registers side by side: QEMU's virt with a serial card on PCI as its only UART."""
    path = machine_tree(tmp_path, "virtualization=on,gic-version=2", "-m", "128M")
    text = dtc(path.read_bytes(), "dtb", "dts").decode()
    text = text.replace("arm,pl011", "nothing").replace("/pl011@9000000", "/serial@3eff1000")
    text = text.replace("pl011@9000000 {", CARD.strip() + "\n pl011@9000000 {")
    path.write_bytes(dtc(text.encode(), "dts", "dtb"))
    machine = [*QEMU, "-machine", "virt,virtualization=on", "-accel", "tcg", "-cpu", "cortex-a53"]
    machine += ["-m", "128M", "-nic", "none", "-kernel", "hypervisor.bin", "-dtb", str(path)]
    machine += ["-qtest", f"unix:{tmp_path}/qtest,server=on,wait=off", "-qtest-log", "/dev/null"]
    # A second -serial of the harness's is nobody's on QEMU 7.2; later ones have a second PL011 for it.
    machine += ["-device", "pci-serial,chardev=line", "-serial", "null", "-serial", "null"]
    target = WithCard(command=machine)
    try:
        target.boot()
        assert target.eval("__import__('hv').platform()['uart']") == 0x3EFF_1000
        talk(target)
    finally:
        target.close()


# The outer one's script. Each model is called as a device's handler is, at an offset of its registers' page.
MODEL = """
import hv, hv.loader, time
from hv.fdt import Node
class Line:
    sizes = 4,
    def __init__(self):
        self.rx, self.out, self.on = bytearray(), bytearray(), False
    def __call__(self, cpu, offset, value):
        assert cpu.exit.size in self.sizes and offset % cpu.exit.size == 0, (offset, cpu.exit.size)
        answer = self.read(offset) if value is None else self.write(offset, value)
        self.set()
        return answer
    def set(self):
        irq.set(self.level())
    def level(self):
        return bool(self.on and self.rx)
    def next(self):
        c = self.rx[0] if self.rx else 0
        self.rx = self.rx[1:]
        return c
class DW(Line):
    # DW_apb_uart, registers 4 bytes apart. The loader has written the line control while it was busy.
    busy, reg = True, 0
    properties = (("compatible", "snps,dw-apb-uart"), ("reg-shift", 2), ("reg-io-width", 4))
    def level(self):
        return self.busy or super().level()
    def read(self, offset):
        if offset == 0x7C:
            self.busy = False
        return {0: self.next, 8: self.iir, 0x14: lambda: 0x60 | bool(self.rx)}.get(offset, int)()
    def iir(self):
        return 7 if self.busy else 4 if self.rx else 1
    def write(self, offset, value):
        if offset == 0:
            self.out.append(value)
        elif offset == 4:
            self.on = value & 1
class IMX(Line):
    reg, ucr1, ucr2 = 0, 0, 0
    properties = (("compatible", "fsl,imx8mp-uart\\0fsl,imx6q-uart"),)
    def read(self, offset):
        if offset == 0:
            return 0x8000 | self.next() if self.rx else 0
        return {0x80: self.ucr1, 0x84: self.ucr2, 0x98: 8, 0xB4: 0x40 | (not self.rx) << 5}.get(offset, 0)
    def write(self, offset, value):
        if offset == 0x40:
            assert self.ucr1 & 1 and self.ucr2 & 4, "not switched on"
            self.out.append(value)
        elif offset == 0x80:
            self.ucr1, self.on = value, value & 0x200
        elif offset == 0x84:
            self.ucr2 = value
class Aux(Line):
    # The mini UART is a part of a block: it is dead until its bit there is set.
    enabled, control, reg = 0, 0, 0x40
    properties = (("compatible", "brcm,bcm2835-aux-uart"),)
    def read(self, offset):
        if offset == 4:
            return self.enabled
        return {0x40: self.next, 0x54: lambda: 0x60 | bool(self.rx)}.get(offset, int)()
    def write(self, offset, value):
        if offset == 4:
            self.enabled = value
        elif not self.enabled & 1:
            raise ValueError("not enabled")
        elif offset == 0x60:
            self.control = value
        elif offset == 0x40:
            assert self.control & 2, "sends nothing"
            self.out.append(value)
        elif offset == 0x44:
            self.on = value & 1
def start(model):
    global vm, irq, line
    vm = hv.VM(model.__name__, ram="64M")
    irq, line = vm.irq(40), model()
    vm.load("/rom/hypervisor.bin", dtb=False)
    vm.mmio(0xB00_0000, 0x1000, line)
    at = hv.fdt.u64(0xB00_0000 + model.reg, 0x80)
    node = Node("serial@b000000", model.properties + (("reg", at), ("interrupts", [0, 8, 4])))
    tree = vm.device_tree(uart=False, nodes=[node])
    tree["/chosen"]["stdout-path"] = "/serial@b000000"
    vm.cpu[0].x[0] = hv.loader.put_tree(vm.memory, tree, at=0x4300_0000)
    vm.start()
def until(what):
    while what not in line.out:
        time.sleep_ms(1)
    line.out = line.out[line.out.find(what) + len(what):]
def send(data):
    line.rx += data
    line.set()
"""


@pytest.fixture(scope="module")
def outer(image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rom")
    rom = folder / "rom.romfs"
    (folder / "rom").mkdir()
    shutil.copy(ROOT / "hypervisor.bin", folder / "rom")
    make = [ROOT / ".venv/bin/python", "-m", "mpremote", "romfs", "--no-mpy", "--output", rom]
    subprocess.run([*make, "build", folder / "rom"], check=True, capture_output=True)
    machine = Target(mem="512M", kernel="hypervisor.bin", args=["-initrd", str(rom)])
    machine.boot()
    machine.exec(MODEL)
    yield machine
    machine.close()


@pytest.mark.parametrize("model", ["DW", "IMX", "Aux"])
def test_modelled(outer, model):
    outer.exec(f"start({model}); until(b'>>> ')", seconds=60)
    outer.exec(f"send({TYPED!r}); until({TYPED[7:-3]!r} + b'\\r\\n')", seconds=30)
    outer.exec(
        "until(b'>>> '); send(b'while True: print(5 * 5)\\r\\r'); until(b'\\n25\\r')", seconds=30
    )
    outer.exec("send(b'\\x03'); until(b'KeyboardInterrupt'); until(b'>>> ')", seconds=30)
    outer.exec("vm.pause(); vm.close()")
