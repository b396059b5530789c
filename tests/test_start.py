# SPDX-License-Identifier: MIT
"""Start-up on machines that are not quite QEMU's virt: by trees that say other things, or other machines."""

import re
import shutil

import pytest
from elapid.program import QEMU
from harness import ROOT, Target
from machine_tree import dtc, machine_tree

DECOY = """
    pl011@9050000 {
        compatible = "arm,pl011", "arm,primecell";
        reg = <0x00 0x9050000 0x00 0x1000>;
        interrupts = <0x00 0x09 0x04>;
        %s
    };
"""


@pytest.fixture
def tree(tmp_path, boot):
    """tree(edit, ...): a machine whose device tree went through edit(text)."""

    def start(edit, gic=2, started=boot, **options):
        path = machine_tree(tmp_path, f"virtualization=on,gic-version={gic}")
        text = edit(dtc(path.read_bytes(), "dtb", "dts").decode())
        path.write_bytes(dtc(text.encode(), "dts", "dtb"))
        return started(gic=gic, args=["-dtb", str(path)], **options)

    return start


def before_uart(text, what):
    return text.replace("pl011@9000000 {", what.strip() + "\n pl011@9000000 {")


def after_uart(text, what):
    end = text.index("};", text.index("pl011@9000000 {")) + 2
    return text[:end] + what + text[end:]


def stdout(text, value):
    """With another /chosen/stdout-path; None: without."""
    line = f"stdout-path = {value};" if value else ""
    return re.sub(r"stdout-path = [^;]*;", line, text)


ALIAS = '/ { aliases { serial0 = "/pl011@9050000"; uart = "/pl011@9000000"; uart1 = "/x"; }; };'
CONSOLES = {
    "named, first": lambda text: after_uart(text, DECOY % ""),
    "named, second": lambda text: before_uart(text, DECOY % ""),
    "named with options": lambda text: before_uart(
        stdout(text, '"/pl011@9000000:115200n8"'), DECOY % ""
    ),
    "alias": lambda text: before_uart(stdout(text, '"uart"'), DECOY % "") + ALIAS,
    "alias with options": lambda text: (
        before_uart(stdout(text, '"uart:9600"'), DECOY % "") + ALIAS
    ),
    "not named": lambda text: after_uart(stdout(text, None), DECOY % ""),
    "an alias that is none": lambda text: after_uart(stdout(text, '"uart"'), DECOY % ""),
    "not a PL011": lambda text: after_uart(stdout(text, '"/memory@40000000"'), DECOY % ""),
    "empty": lambda text: after_uart(stdout(text, '""'), DECOY % ""),
    "disabled": lambda text: before_uart(stdout(text, None), DECOY % 'status = "disabled";'),
}


@pytest.mark.parametrize("name", CONSOLES)
def test_console_is_the_one_chosen_or_the_first(tree, name):
    assert tree(CONSOLES[name]).repl("6 * 7") == "42"


def test_no_flash_in_the_tree(tree):
    target = tree(lambda text: text.replace("cfi-flash", "nothing"))
    assert target.repl("6 * 7") == "42"


@pytest.mark.parametrize("mem", ["512M", "1G", "2G"])
def test_another_machine(image, mem):
    """Versal: RAM where this board has its flash, two PL011, the tree of another vendor."""
    machine = [*QEMU, "-M", "xlnx-versal-virt", "-m", mem, "-nic", "none"]
    target = Target(command=[*machine, "-kernel", "hypervisor.bin"])
    try:
        target.boot()
        assert target.repl("6 * 7") == "42"
        target.send("import hv; hv.demo()\r")
        target.until("<Exit off", seconds=30)
    finally:
        target.close()


def test_wrong_console_in_the_tree_is_reported_on_the_boards(tree, image):
    machines = []

    def start(**options):
        machines.append(Target(**options))
        return machines[-1].start()

    try:
        target = tree(lambda text: text.replace("0x9000000 0x00", "0x9050000 0x00"), started=start)
        text = target.until("Ctrl-A X", seconds=20)
        assert "*** Elapid stopped: an exception in EL2 itself" in text
    finally:
        for machine in machines:
            machine.close()


@pytest.mark.parametrize("gic", [2, 3])
def test_without_a_gic_the_prompt_answers(tree, gic):
    target = tree(lambda text: re.sub(r"arm,(cortex-a15-gic|gic-v3)", "nothing", text), gic=gic)
    assert "no GIC\nWithout interrupts" in target.console
    assert target.repl("6 * 7") == "42"
    assert target.repl("import time; time.sleep_ms(50)") == ""
    target.soft_reset()
    assert target.repl("6 * 7") == "42"


@pytest.mark.parametrize("gic", [2, 3])
def test_what_says_that_it_is_a_gic_and_is_none(tree, gic):
    """The flash, behind the one that is there."""
    target = tree(lambda text: text.replace('"cfi-flash"', '"arm,cortex-a15-gic"'), gic=gic)
    assert f"GICv{gic}" in target.console and target.repl("6 * 7") == "42"
    assert target.repl("import hv; hv.platform()['gic']") == str(gic)


@pytest.mark.parametrize("gic, old", [(2, "0x00 0x8010000"), (3, "0x00 0x80a0000")])
def test_a_gic_whose_other_half_is_elsewhere(tree, gic, old):
    """The distributor is where the tree says, the CPU interface or the redistributors are not: as without one."""
    target = tree(lambda text: text.replace(old, "0x00 0x1000", 1), gic=gic)
    assert "no GIC\nWithout interrupts" in target.console
    assert target.repl("6 * 7") == "42"


@pytest.mark.parametrize(
    "old, new",
    [
        (
            "<0x00 0x9020000 0x00 0x18>",
            "<0xfffff000 0x9020000 0x00 0x18>",
        ),  # beyond EL2's addresses, fw_cfg
        (
            "<0x00 0xa000000 0x00 0x200>",
            "<0x80 0x9000000 0xffffffff 0xffffffff>",
        ),  # a virtio device
        ("<0x00 0x9010000 0x00 0x1000>", "<0x7f 0xffffffff 0xffffffff 0xffffffff>"),  # the clock
        (
            "interrupts = <0x00 0x01 0x04>",
            "interrupts = <0x00 0xe11bd13b 0x04>",
        ),  # an INTID that is none
        ("<0x00 0x8000000 0x00 0x10000 ", "<0xffff 0x8000000 0x00 0x10000 "),  # the GIC
    ],
)
def test_what_the_tree_says_of_no_place(tree, old, new):
    """It is as if it did not say it: the console is where it is, and the prompt answers."""

    def edit(text):
        assert old in text
        return text.replace(old, new)

    target = tree(edit)
    assert target.repl("6 * 7") == "42"
    if "0x8000000" not in old:
        assert "<Exit off" in target.repl("import hv; hv.demo()", seconds=30)


@pytest.mark.parametrize("kernel", ["hypervisor.elf", "hypervisor.bin"])
@pytest.mark.parametrize("size", [16 << 10, 1000 << 10, 1 << 20, 4 << 20])
def test_trees_of_any_size(tree, boot, tmp_path, kernel, size):
    """QEMU doubles it, puts that below an ELF file where there is room, and else gives none: that is said."""

    def start(args, **options):
        path = args[1]
        blob = bytearray(open(path, "rb").read().ljust(size, b"\0"))
        blob[4:8] = len(blob).to_bytes(4, "big")
        open(path, "wb").write(blob)
        return boot(args=args, **options)

    target = tree(lambda text: text, started=start, kernel=kernel)
    if kernel.endswith("elf") and size >= 1 << 20:
        assert (
            "no device tree\nWithout one" in target.console and "hypervisor.bin" in target.console
        )
        assert target.repl("6 * 7") == "42"
        return
    assert (
        target.repl("import hv; p = hv.platform(); p['gic'], p['fdt_size'] >= %d" % size)
        == "(2, True)"
    )
    assert "<Exit off" in target.repl("hv.demo()", seconds=30)


# The second core of a VM is the one that enters: the first calls it, and is off.
SECOND = """
import hv, struct
vm = hv.VM("inner", ram="64M", cpus=2)
vm.load("/disk/hypervisor.bin")
cpu = vm.cpu[0]
entry, tree = cpu.pc, cpu.x[0]
vm.memory[0x4300_0000:0x4300_0014] = struct.pack("<5I", 0xd4000002, 0x52800040, 0x72b08000, 0xd4000002, 0x14000000)
cpu.reset(0x4300_0000)
cpu.x[0], cpu.x[1], cpu.x[2], cpu.x[3] = 0xc400_0003, 1, entry, tree
"""


@pytest.mark.parametrize("gic", [2, 3])
def test_a_boot_core_that_is_not_the_first(boot, tmp_path, gic):
    shutil.copy(ROOT / "hypervisor.bin", tmp_path)
    disk = f"if=none,id=disk,format=raw,readonly=on,file=fat:{tmp_path}"
    args = ["-device", "virtio-blk-device,drive=disk", "-drive", disk]
    target = boot(gic=gic, mem="256M", args=args)
    target.exec(SECOND, seconds=30)
    target.send(b"vm.attach()\r")
    target.until("at EL1 with Cortex-A53", seconds=30)
    target.wait_prompt(30)
    assert target.repl("6 * 7") == "42"
