# SPDX-License-Identifier: MIT
"""vm.memory: a guest's RAM as bytes."""

import pytest
from guestcode import run
from harness import TargetError


def test_items_and_slices(target):
    script = """
vm = hv.VM("t", ram="4M")
m = vm.memory
print(m, hex(m.base), m.size)
m[0x4000_0000] = 7
m[0x403f_fffc:0x4040_0000] = b"last"
m[:0x4000_0002] = bytearray(b"ab")
print(m[0x4000_0000], m[0x4000_0000:0x4000_0004], m[0x403f_fffc:])
m[0x4010_0000:0x4010_0008] = memoryview(b"0123456789")[1:9]
print(m[0x4010_0000:0x4010_0008], m[0x4010_0000:0x4010_0000])
"""
    assert run(target, "", script).splitlines() == [
        "<Memory of t: 0x40000000-0x403fffff (4096 KB)> 0x40000000 4194304",
        r"97 b'ab\x00\x00' b'last'",
        "b'12345678' b''",
    ]


def test_buffer_protocol(target):
    """Anything that takes a buffer takes guest memory: struct, hashlib, a memoryview, another VM."""
    script = """
import struct, hashlib
vm = hv.VM("t", ram="64K")
m = vm.memory
struct.pack_into("<Q", m, 0x100, 0x1122334455667788)
print(struct.unpack_from("<I", m, 0x104) == (0x11223344,), hex(m[0x4000_0107]))
whole = memoryview(m)
whole[:4] = b"head"
print(len(whole), m[0x4000_0000:0x4000_0004], bytes(whole[0x100:0x108]).hex())
print(hashlib.sha256(m).digest() == hashlib.sha256(m[:]).digest())
other = hv.VM("u", ram="64K")
other.memory[:] = m
print(other.memory[0x4000_0000:0x4000_0004])
"""
    assert run(target, "", script).splitlines() == [
        "True 0x11",
        "65536 b'head' 8877665544332211",
        "True",
        "b'head'",
    ]


def test_find(target):
    script = """
m = hv.VM("t", ram="4M").memory
m[0x4012_3450:0x4012_3456] = b"needle"
m[0x403f_fffa:] = b"needle"
print(hex(m.find(b"needle")), hex(m.find(b"needle", 0x4012_3451)))
print(m.find(b"needle", 0x4000_0000, 0x4012_3455), m.find(b"haystack"), m.find(b""))
print(hex(m.find(bytearray(b"edle"), 0x4012_3452)))
"""
    assert run(target, "", script).splitlines() == [
        "0x40123450 0x403ffffa",
        "-1 -1 -1",
        "0x40123452",
    ]


def test_find_agrees_with_bytes(target):
    """Every length and place, among bytes that are nearly the same."""
    script = """
import random
random.seed(1)
m = hv.VM("t", ram="2M").memory
at = m.base
data = bytes([random.choice(b"ab\\x01") for _ in range(300)])
m[at : at + 300] = data
wrong = []
for _ in range(1500):
    start = random.randrange(290)
    end = random.randrange(start, 301)
    n = random.choice((1, 2, 3, 5, 8, 9, 17))
    there = random.randrange(300 - n)
    what = data[there : there + n] if random.random() < 0.8 else data[there : there + n - 1] + b"c"
    told, right = m.find(what, at + start, at + end), data.find(what, start, end)
    if told != (at + right if right >= 0 else -1):
        wrong.append((what, start, end, told, right))
print(wrong)
"""
    assert run(target, "", script) == "[]\n"


def test_views_are_the_memory_itself(each_target):
    """A view sees what the guest writes, and the guest what is written to it."""
    code = """
    load x1, 0x40100000
    ldr x2, [x1]
    add x2, x2, #1
    str x2, [x1]
    hvc #0x100
"""
    script = """
vm = guest(code)
view = vm.memory.view(0x4010_0000, 8)
view[0] = 41
vm.memory.clean(0x4010_0000, 8)
print(vm.run(60_000).reason, view[0], len(view))
"""
    assert run(each_target, code, script) == "stop 42 8\n"


@pytest.mark.parametrize(
    "statement, says",
    [
        ("m[0x3fff_ffff]", "is not all RAM of t, which is 0x40000000 to 0x40100000"),
        ("m[0x4010_0000]", "is not all RAM"),
        ("m[0x400f_ffff:0x4010_0001]", "0x400fffff to 0x40100001 is not all RAM"),
        ("m.view(0x4000_0000, 1 << 40)", "is not all RAM"),
        ("m[0x4000_0010:0x4000_0000]", "the end must not be before the start"),
        ("m[::2]", "there is no step"),
        ("m[0x4000_0000:0x4000_0004] = b'12345'", "5 bytes do not fit"),
        ("m.find(b'text', 0, 5)", "is not all RAM"),
        ("m['x']", "TypeError"),
    ],
)
def test_mistakes(target, statement, says):
    with pytest.raises(TargetError, match=says):
        run(target, "", f"m = hv.VM('t', ram='1M').memory\n{statement}")
