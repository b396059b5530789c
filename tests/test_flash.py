# SPDX-License-Identifier: MIT
"""NOR flash of a VM, command by command, as a driver of Intel's command set sees it."""

import guestcode
import pytest
from harness import TargetError

# Follows a list of (operation, offset, value) at 0x4010_0000: 1 stores 32 bits, 2 loads them into the
# value, 3 and 4 do so with 16 bits, 5 stores 64 bits; 0 ends it.
DRIVER = """
    load x1, 0x40100000
1:  ldr x2, [x1]
    cbz x2, 9f
    ldr x3, [x1, #8]
    cmp x2, #1
    b.ne 2f
    ldr w4, [x1, #16]
    str w4, [x3]
2:  cmp x2, #2
    b.ne 3f
    ldr w4, [x3]
    str x4, [x1, #16]
3:  cmp x2, #3
    b.ne 4f
    ldrh w4, [x1, #16]
    strh w4, [x3]
4:  cmp x2, #4
    b.ne 5f
    ldrh w4, [x3]
    str x4, [x1, #16]
5:  cmp x2, #5
    b.ne 6f
    ldr x4, [x1, #16]
    str x4, [x3]
6:  add x1, x1, #24
    b 1b
9:  hvc #0x100
"""

SCRIPT = """
import struct
vm = guest(code, ram="4M")
vm.flash(0, "1M")
def do(*steps):
    data = b"".join([struct.pack("<QQQ", *(step + (0,))[:3]) for step in steps]) + bytes(8)
    vm.memory[0x4010_0000 : 0x4010_0000 + len(data)] = data
    vm.cpu[0].pc = 0x4008_0000
    vm.run()
    back = struct.unpack(f"<{3 * len(steps)}Q", vm.memory[0x4010_0000 : 0x4010_0000 + len(data) - 8])
    return [hex(back[3 * n + 2]) for n, step in enumerate(steps) if step[0] in (2, 4)]
W, R, WH, RH, WX = 1, 2, 3, 4, 5
BOTH = 0x1_0001
"""


def flash(target, script):
    return guestcode.run(target, DRIVER, SCRIPT + script).split("\n")[:-1]


def test_query_and_identifier(target):
    """What a probe reads: QRY, the command set, 512 KB a chip in 4 sectors of 128 KB; then memory."""
    lines = flash(
        target,
        """
print(*do((W, 0x154, 0x98 * BOTH), (R, 0x40), (R, 0x44), (R, 0x48), (R, 0x4C), (RH, 0x42)))
print(*do((R, 4 * 0x27), (R, 4 * 0x2D), (R, 4 * 0x2E), (R, 4 * 0x30), (R, 4 * 0x200)))
print(*do((W, 0, 0x90 * BOTH), (R, 0), (R, 4), (R, 8), (W, 0, 0xFF), (R, 0), (RH, 0xF_FFFE)))
""",
    )
    assert lines == [
        "0x510051 0x520052 0x590059 0x10001 0x51",
        "0x130013 0x30003 0x0 0x20002 0x0",
        "0x890089 0x180018 0x0 0xffffffff 0xffff",
    ]


def test_program_and_erase(each_target):
    """Programming clears bits, erasing sets those of a sector; the status says when it is wrong."""
    lines = flash(
        each_target,
        """
P = 0x40 * BOTH
print(*do((W, 0x100, P), (W, 0x100, 0xF0F0_1234), (R, 0x100), (W, 0, 0xFF), (R, 0x100)))
print(*do((W, 0x100, P), (W, 0x100, 0x3333_FFFF), (W, 0, 0xFF), (R, 0x100)))
print(*do((WH, 0x106, 0x40), (WH, 0x106, 0xABCD), (W, 0, 0xFF), (R, 0x104)))
steps = [(W, 0x4_0000, 0xE8 * BOTH), (W, 0x4_0000, 3 * BOTH)]
steps += [(W, 0x4_0010, 1), (W, 0x4_0014, 2), (WX, 0x4_0018, 4 << 32 | 3)]
print(*do(*steps, (W, 0x4_0000, 0xD0 * BOTH), (R, 0), (W, 0, 0xFF), (R, 0x4_0010), (R, 0x4_001C)))
print(vm.memory[0x4_0010:0x4_0020] == struct.pack("<IIII", 1, 2, 3, 4))
print(*do((W, 0x100, 0x20 * BOTH), (W, 0x100, 0xD0 * BOTH), (W, 0, 0xFF), (R, 0x100), (R, 0x4_0010)))
print(*do((W, 0x4_0000, 0x20), (W, 0x4_0000, 0x55), (R, 0), (W, 0, 0x50), (R, 0), (W, 0, 0xFF), (R, 0x4_0010)))
""",
    )
    assert lines == [
        "0x800080 0xf0f01234",
        "0x30301234",
        "0xabcdffff",
        "0x800080 0x1 0x4",
        "True",
        "0xffffffff 0x1",
        "0xb000b0 0x800080 0x1",
    ]


def test_reads_are_memory(target):
    """No exit for reads of the array, once it is there; it stays over reset(), in array mode."""
    lines = flash(
        target,
        """
vm.memory[0:4] = b"boot"
do((W, 0, 0x70), (R, 0), (W, 0, 0xFF), (R, 0))
before = vm.cpu[0].exits.get(0x24, 0)
print(*do(*[(R, 0)] * 20), vm.cpu[0].exits.get(0x24, 0) - before)
do((W, 0, 0x70))
vm.reset()
print(vm.memory[0:4])
vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
print(*do((R, 0)))
""",
    )
    assert lines[0].split()[-1] == "0" and len(lines[0].split()) == 21
    assert lines[1:] == ["b'boot'", "0x746f6f62"]


def test_firmware_is_entered_in_flash(target):
    """load(at=) puts a binary there; it runs from there and finds a tree at the base of RAM."""
    script = """
vm = hv.VM("test", ram="4M")
vm.flash(0, "512K")
vm.flash(0x400_0000, "512K")
vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
print(vm.load(code, at=0))
vm.run()
print(hex(vm.cpu[0].x[0]), hex(vm.cpu[0].x[1]), vm.memory[0x4000_0000:0x4000_0004])
tree = hv.fdt.parse(vm.memory.view(0x4000_0000, 0x1_0000))
print(tree.reg("/flash"))
"""
    code = "adr x1, _start\n ldr x2, [x0]\n hvc #0x100"
    assert guestcode.run(target, code, script).split("\n")[:-1] == [
        "<Loaded flat: 0x0-0xc, entry 0x0, device tree 0x40000000>",
        "0x40000000 0x0 b'\\xd0\\r\\xfe\\xed'",
        "[(0, 524288), (67108864, 524288)]",
    ]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("0, '768K'", "a power of two"),
        ("0x1000, '1M'", "multiple of 256 KB"),
        ("0x900_0000, '1M'", "overlaps the device"),
        ("0x4000_0000, '1M'", "overlaps guest RAM"),
        ("1 << 32, '4G'", "no room"),
    ],
)
def test_what_cannot_be_flash(target, call, why):
    with pytest.raises(TargetError, match=why):
        target.exec(f"import hv\nvm = hv.VM('test', ram='4M')\nvm.flash({call})")


def test_any_commands_in_any_order(target):
    """2,000 random stores and loads end where they should, and the VM is still in order."""
    lines = flash(
        target,
        """
import random
random.seed(7)
CODES = (0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xD0, 0xE8, 0xF0, 0xFF, 0, 1, 0xFFFF)
for _ in range(40):
    do(*[(random.randint(1, 5), random.randrange(0x10_0000) & ~7, random.choice(CODES) * random.choice((1, BOTH)))
        for _ in range(50)])
vm.reset()
vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code
vm.memory[0:4] = b"fine"
print(*do((R, 0)))
vm.close()
print(hv.mem()[0] > 0)
""",
    )
    assert lines == ["0x656e6966", "True"]
