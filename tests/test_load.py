# SPDX-License-Identifier: MIT
"""vm.load() and vm.linux() on the target: what they leave of what ran before, how far they are."""

import guestcode
import hostpkg
from harness import ROOT
from test_loader import SMALL, elf, gz, image

SLOW = """
import hv, time
vm = hv.VM("test", ram="4M")
class Slow:
    def seek(self, at, whence=0):
        return 0x10_0000 if whence else at
    def readinto(self, data):
        time.sleep_ms(250)
        return len(data)
"""


def test_bar_at_the_prompt_only(target):
    """A long load shows how far it is, to a person and to nobody else."""
    target.exec(SLOW)
    shown = target.repl("vm.load(Slow())", seconds=30)
    assert "image [###" in shown and "[" + 30 * "#" + "] 1 of 1 MB" in shown
    assert target.exec("vm.load(Slow())", seconds=30) == ""


# CPU 1 counts for ever; CPU 0 waits for it and powers off. With x0 = 0 nothing is started.
TWO = """
    load x9, 0x40100000
    load x0, 0xC4000003
    mov x1, #1
    adr x2, count
    hvc #0
1:  ldr x1, [x9]
    cbz x1, 1b
    power_off
count:
    load x9, 0x40100000
2:  ldr x1, [x9]
    add x1, x1, #1
    str x1, [x9]
    b 2b
"""


def test_what_ran_before_does_not_go_on(each_target):
    """A second load() after the end: the other vCPU is off, and RAM as new."""
    script = """
vm = hv.VM("test", ram="4M", cpus=2)
vm.load(code)
print(vm.run().reason)
print(vm.memory[0x4010_0000:0x4010_0008] != bytes(8))
vm.load(b"\\0\\0\\0\\x14")
print(vm.run(timeout_ms=200).reason, vm.memory[0x4010_0000:0x4010_0008] == bytes(8))
"""
    assert guestcode.run(each_target, TWO, script).split() == ["off", "True", "timeout", "True"]


FUZZ = """
import hv
vm = hv.VM("test", ram="4M")
dice = Dice(9)
places = (0x4000_0000, 0x4008_0000, 0x4020_0000)
zero = bytes(0x1_0000)
counts = [0, 0]
for n in range(600):
    try:
        if n % 3:
            vm.load(mutate(dice.pick(blobs), dice, 200))
        else:
            vm.linux(kernel, dtb=mutate(tree, dice))
    except ValueError:
        counts[0] += 1
        assert all([vm.memory[at : at + len(zero)] == zero for at in places]), n
    else:
        counts[1] += 1
        vm._vm.reset()
print(min(counts) > 50)
"""


def test_malformed_files_leave_nothing(target):
    """ELF, Image, gzip and device trees, damaged by dice, into a real VM: loaded, or a ValueError."""
    blobs = [elf([(0x4008_0000, 0x4008_0000, SMALL, 1000)]), image(body=SMALL), gz(SMALL)]
    tree = bytes(hostpkg.load("machine_dt").virt(4 << 20).pack())
    given = f"blobs = {blobs!r}\nkernel = {blobs[1]!r}\ntree = {tree!r}\n"
    kit = (ROOT / "tests/hostkit.py").read_text()
    assert target.exec(kit + given + FUZZ, 100) == "True\n"
