# SPDX-License-Identifier: MIT
"""EL2's own address space, and faults of EL2 itself."""

import time

import pytest
from harness import TargetError

VIRTIO = 0x0A00_0000  # the machine's, mapped at boot
FREE = 0x10_0000_0000  # an address nobody uses


def test_dump_names_the_images_parts(target):
    lines = target.exec("import hv; hv.mmu.dump()").splitlines()
    by_part = {line.split()[-1]: line.split() for line in lines}
    assert by_part["rodata"][5:7] == ["r--", "normal"]
    assert by_part["data"][5:7] == ["rw-", "normal"]
    assert by_part["stack"][5:7] == ["rw-", "normal"]
    assert any(line.split()[5:8] == ["r-x", "normal", "text"] for line in lines)
    assert any("rw- device" in line for line in lines)
    assert not any("wx" in line.split()[5] for line in lines)  # nothing is both
    assert not any(line.startswith("0x0000000000-") for line in lines)  # NULL is nothing


def test_map_protect_unmap(target):
    """New addresses for a boot image's memory, then other rights, then nothing again."""
    script = f"""
import hv
fdt = hv.platform()["fdt"] & ~0xfff
at = {FREE:#x}
hv.mmu.map(at + 0x1000, fdt, 0x2000)
print(hv.read(at + 0x1000) == hv.read(fdt), hex(hv.mmu.translate(at + 0x1234) - fdt))
print(hv.mmu.walk(at + 0x1000)[0], hv.mmu.walk(at))
hv.write(at + 0x2ffc, 0x1234)
print(hex(hv.read(fdt + 0x1ffc)))
hv.mmu.protect(at + 0x2000, 0x1000, "ro")
for action in (lambda: hv.write(at + 0x2ffc, 1), lambda: hv.mmu.translate(at + 0x2000, True)):
    try:
        action()
    except hv.Fault as error:
        print(error)
print(hv.mmu.translate(at + 0x2000) == fdt + 0x1000)
hv.mmu.unmap(at + 0x1000, 0x2000)
try:
    hv.read(at + 0x1000)
except OSError as error:
    print(error)
"""
    assert target.exec(script).splitlines() == [
        "True 0x234",
        "3 None",
        "0x1234",
        "cannot write 4 bytes at 0x1000002ffc: permission fault, level 3",
        "va 0x1000002000: permission fault, level 3",
        "True",
        "cannot read 4 bytes at 0x1000001000: translation fault, level 3",
    ]


def test_a_device_page(target):
    """A device that boot did not map: an exception before, its register after."""
    script = """
import hv, machine
pcie = 0x3eff_0000
def look():
    try:
        return machine.mem32[pcie] is not None
    except OSError:
        return "fault"
print(look())
hv.mmu.map(pcie, pcie, 0x1000, "device")
print(look())
hv.mmu.unmap(pcie, 0x1000)
print(look())
"""
    assert target.exec(script) == "fault\nTrue\nfault\n"


def test_large_mappings_are_split_and_given_back(target):
    script = f"""
import hv
for n in range(100):
    hv.mmu.map({FREE:#x}, 0x40_0000_0000, 0x8000_0000, "device")
    hv.mmu.unmap({FREE:#x} + 0x1000, 0x1000)
    hv.mmu.protect({FREE:#x} + 0x4000_0000, 0x20_1000, "ro")
    if n == 0:
        a = {FREE:#x}
        print([hv.mmu.walk(a + o)[0] for o in (0, 0x2000, 0x20_0000, 0x4020_0000, 0x4040_0000)])
    hv.mmu.unmap({FREE:#x}, 0x8000_0000)
print(hv.mmu.walk({FREE:#x}))
"""
    assert target.exec(script) == "[3, 3, 2, 3, 2]\nNone\n"


@pytest.mark.parametrize(
    "call, says",
    [
        ("unmap(hv.mmu.translate(image), 0x1000)", "the hypervisor's image"),
        ("protect(image, 0x1000, 'data')", "the hypervisor's image"),
        ("unmap(stack, 0x1000)", "the hypervisor's image"),
        ("unmap(0x4600_0000, 0x1000)", "RAM of the hypervisor's page allocator"),
        ("unmap(heap, 0x1000)", "RAM of the hypervisor's page allocator"),
        ("unmap(0x0800_0000, 0x1000)", "the real interrupt controller"),
        ("unmap(hv.platform()['uart'], 0x1000)", "the console's UART"),
        ("map(1 << 38, image, 0x1000)", "the hypervisor's image"),
        ("map(0x0a00_0000, 0x0a00_0000, 0x1000)", "already mapped"),
        ("unmap(1 << 38, 0x1000)", "is not mapped"),
        ("protect(1 << 38, 0x1000, 'ro')", "not all mapped"),
        ("map(1 << 39, 0, 0x1000)", "below 2^39"),
        ("map(1 << 38, 1, 0x1000)", "multiples of 4 KB"),
        ("map(1 << 38, 1 << 37, 0x1000, 'rwx')", "no type 'rwx'"),
    ],
)
def test_what_the_hypervisor_stands_on_is_refused(target, call, says):
    script = f"""
import hv, uctypes
from _hv import mmu_parts
image, stack = [start for name, start, end in mmu_parts() if name in ("text", "stack")]
heap = uctypes.addressof(bytearray(8)) & ~0xfff
try:
    hv.mmu.{call}
except ValueError as error:
    print(error)
"""
    assert says in target.exec(script)
    assert target.repl("1 + 1") == "2"


@pytest.mark.parametrize(
    "access", ["machine.mem32[0x3000_0000]", "hv.read(0x3000_0000, 8)", "hv.write(0, 1)"]
)
def test_a_thousand_faults_in_a_row(each_target, access):
    script = f"""
import hv, machine
count = 0
for n in range(1000):
    try:
        {access}
    except OSError as error:
        count, text = count + 1, str(error)
print(count, text)
"""
    text = each_target.exec(script, 20)
    assert text.startswith("1000 cannot ") and "translation fault, level" in text
    assert each_target.repl("2 ** 100") == str(2**100)


def test_fault_is_told_with_its_address(target):
    for code, text in (
        ("hv.read(0x3000_0004)", "cannot read 4 bytes at 0x30000004: translation fault, level 2"),
        ("hv.read(5, 1)", "cannot read 1 byte at 0x5: translation fault, level 2"),
        (
            "hv.write(0x4020_0000, 0, 8)",
            "cannot write 8 bytes at 0x40200000: permission fault, level 3",
        ),
        (
            "hv.read(1 << 60)",
            "cannot read 4 bytes at 0x1000000000000000: translation fault, level 0",
        ),
        ("hv.read(0x0900_0002)", "cannot read 4 bytes at 0x9000002: alignment fault"),
    ):
        try:
            target.exec("import hv\n" + code)
        except TargetError as error:
            assert text in error.traceback
        else:
            assert "alignment" in text  # QEMU 7.2 does not check it


def test_a_fault_elsewhere_dumps_and_stops(boot):
    """With the heap's rights taken away by force, the next store of the interpreter is the end: it
    says what and where, and no guest or script runs on."""
    target = boot()
    target.repl("import hv, uctypes")
    target.repl("at = uctypes.addressof(bytearray(8)) & ~0x1fffff")
    target.send("hv.mmu.protect(at, 0x20_0000, 'ro', unsafe=True); bytearray(1000)\r")
    text = target.until("addresses on the stack", 10)
    assert "*** Elapid stopped: an exception in EL2 itself" in text
    assert "EC 0x25, data abort, permission fault, level 2, on a write" in text
    assert "ELR_EL2 0x" in text and "x30 0x" in text and "is mapped: level 2 entry" in text
    target.send("\r\r1 + 1\r")
    time.sleep(0.5)
    assert ">>>" not in target.console.split("Elapid stopped")[1]


def test_every_cause_is_told(each_target):
    """Unmapped, read-only, and nobody there: each raises with the address and the cause, many times over."""
    script = """
import hv, machine
HOLE, TEXT = 0x0b00_0000, 0x4020_0000
hv.mmu.map(HOLE, HOLE, 0x1000, "device")
machine.mem8[TEXT]                          # the image's code can be read
def cause(access):
    seen = set()
    for n in range(300):
        try:
            access()
        except hv.Fault as error:
            seen.add(str(error))
    return seen
print(cause(lambda: hv.read(0x3000_0000)))
print(cause(lambda: hv.write(TEXT, 0)))
print(cause(lambda: machine.mem32[HOLE]))
hv.mmu.unmap(HOLE, 0x1000)
"""
    lines = each_target.exec(script, 30).splitlines()
    assert "0x30000000" in lines[0] and "translation fault" in lines[0]
    assert (
        "cannot write" in lines[1] and "0x40200000" in lines[1] and "permission fault" in lines[1]
    )
    assert "0xb000000" in lines[2] and "external abort" in lines[2]
