# SPDX-License-Identifier: MIT
"""cpu.read(), cpu.write(), cpu.string(): by both stages, what is there; and cpu.inject() of any class."""

import pytest

# A guest that never runs: its tables are written from here. TTBR0: blocks of 2 MB at 0x4000_0000, pages at
# 0x20_0000; TTBR1: the same from 0xFFFF_FF80_0000_0000 (39 bits, 4 KB pages).
SCRIPT = """
import hv
from struct import pack
vm = hv.VM("tables", ram="8M", cpus=2)
m, cpu = vm.memory, vm.cpu[0]
L1, L2, PAGES, L3 = 0x4000_1000, 0x4000_2000, 0x4000_3000, 0x4000_4000
def put(table, index, entry):
    m[table + 8 * index : table + 8 * index + 8] = pack("<Q", entry)
AF, USER, RO = 1 << 10, 1 << 6, 1 << 7
put(L1, 0, PAGES | 3)
put(L1, 1, L2 | 3)
put(L2, 0, 0x4000_0000 | AF | 1)
put(L2, 1, 0x4020_0000 | AF | RO | 1)
put(PAGES, 1, L3 | 3)
A, B, C = 0x4010_0000, 0x4030_0000, 0x4008_0000
for n, entry in enumerate((A | USER, B, 0, 0x0900_0000, 0x9000_0000, C | RO)):
    put(L3, n, entry and entry | AF | 3)
def mmu(cpu):
    s = cpu.sysreg
    s["TTBR0_EL1"] = s["TTBR1_EL1"] = L1
    s["TCR_EL1"] = 25 | 25 << 16 | 2 << 30 | 2 << 32
    s["MAIR_EL1"] = 0xFF
    s["SCTLR_EL1"] |= 1
mmu(cpu)
m[A : A + 0x1000] = bytes([n & 255 for n in range(0x1000)])
m[B : B + 0x1000] = b"b" * 0x1000
"""


@pytest.fixture
def tables(target):
    target.exec(SCRIPT)
    return target


def test_reads_cross_pages_and_end_where_the_memory_does(tables):
    for script, answer in {
        # Two pages that are not neighbours in RAM; the third is not mapped.
        "cpu.read(0x20_0ffc, 8)": b"\xfc\xfd\xfe\xffbbbb",
        "len(cpu.read(0x20_0000, 0x5000))": 0x2000,
        "len(cpu.read(0x20_1001, 0x5000))": 0xFFF,
        "cpu.read(0x20_2000, 4)": b"",
        "cpu.read(0x20_0003, 3)": b"\x03\x04\x05",
        "cpu.read(0x20_0000, 0)": b"",
        # A device, and an IPA with nothing behind it.
        "cpu.read(0x20_3000, 4)": b"",
        "cpu.read(0x20_4000, 4)": b"",
        # Blocks; TTBR1; no such address.
        "cpu.read(0x4010_0010, 4)": b"\x10\x11\x12\x13",
        "cpu.read(0x401f_fffe, 4)": bytes(4),
        "cpu.read(0xffff_ff80_0020_0010, 2)": b"\x10\x11",
        "cpu.read(0x8000_0000_0000, 4)": b"",
        "cpu.read(2**64 - 2, 4)": b"",
        # What the guest may not read at EL0, and at EL0 itself.
        "(setattr(cpu, 'pstate', 0), cpu.read(0x20_1000, 2))[1]": b"bb",
        # Another vCPU, with its MMU off: addresses are IPAs.
        "vm.cpu[1].read(0x4030_0000, 2)": b"bb",
        "vm.cpu[1].read(0x0900_0000, 4)": b"",
        "len(vm.cpu[1].read(0x407f_fff0, 99))": 16,
    }.items():
        assert tables.eval(script) == answer, script
    assert "ValueError: a number of bytes is not negative" in tables.repl("cpu.read(0, -1)")


def test_writes_go_where_reads_do(tables):
    for script, answer in {
        "cpu.write(0x20_0ffe, b'12345')": 5,
        "m[A + 0xffe : A + 0x1000] + m[B : B + 4]": b"12345"[:2] + b"345b",
        "cpu.write(0x20_1ffd, b'123456')": 3,
        "m[B + 0xffd : B + 0x1000]": b"123",
        "cpu.write(0x20_2000, b'x')": 0,
        "cpu.write(0x20_3000, b'x')": 0,
        # Read-only for the guest, page and block.
        "cpu.write(0x20_5001, bytearray(b'text'))": 4,
        "m[C : C + 6]": b"\0text\0",
        "cpu.write(0x4020_0008, b'12345678abc')": 11,
        "m[0x4020_0008 : 0x4020_0014]": b"12345678abc\0",
    }.items():
        assert tables.eval(script) == answer, script


def test_strings_are_what_can_be_read(tables):
    tables.exec("m[A + 0xffc : A + 0x1000] = b'four'; m[B : B + 3] = b'th\\0'")
    tables.exec("m[B + 0xffc : B + 0x1000] = b'tail'")
    tables.exec(
        "m[C : C + 7] = 'gr\\u00fc\\u00df'.encode() + b'\\0'; m[C + 9 : C + 13] = b'a\\xffb\\0'"
    )
    for script, answer in {
        "cpu.string(0x20_0ffc)": "fourth",
        "cpu.string(0x20_1ffc)": "tail",  # its end is not mapped
        "cpu.string(0x20_2000)": "",
        "cpu.string(0x20_1100)": "b" * 256,
        "cpu.string(0x20_1100, 3)": "bbb",
        "cpu.string(0x20_1100, limit=1000)": "b" * 1000,
        "cpu.string(0x20_5000)": "gr\u00fc\u00df",
        "cpu.string(0x20_5009)": "a?b",
    }.items():
        assert tables.eval(script) == answer, script


def test_what_stage_2_keeps_from_the_guest(tables):
    """Rights do not matter to a reader at EL2; where stage 2 leads does."""
    tables.exec("vm.stage2.protect(A, 0x1000, '')")
    assert tables.eval("cpu.read(0x20_0010, 2)") == b"\x10\x11"
    assert tables.eval("cpu.write(0x20_0010, b'ab')") == 2
    tables.exec("vm.stage2.unmap(A, 0x1000)")
    assert tables.eval("cpu.read(0x20_0010, 2)") == b""
    assert tables.eval("cpu.write(0x20_0010, b'ab')") == 0


def test_a_vcpu_that_runs_is_not_read(boot):
    target = boot(smp=2)
    target.exec(
        "import hv\nvm = hv.VM('runs', ram='1M')\nvm.load(b'\\0\\0\\0\\x14')\nvm.cpu[0].pin = 1"
    )
    target.exec("vm.start()")
    for call in ("read(0x4008_0000, 4)", "write(0x4008_0000, b'')", "string(0x4008_0000)"):
        assert "RuntimeError: cpu 0 is running" in target.repl(f"vm.cpu[0].{call}")
    target.exec("vm.pause()")
    assert target.eval("vm.cpu[0].read(0x4008_0000, 4)") == b"\0\0\0\x14"


INJECT = """
def taken(what, *where, pstate=5):
    cpu.reset(0x4008_0000)
    s = cpu.sysreg
    s["VBAR_EL1"], s["FAR_EL1"] = 0x4009_0000, 0x77
    cpu.pstate = pstate
    cpu.inject(what, *where)
    return cpu.pc - 0x4009_0000, s["ESR_EL1"], s["ELR_EL1"], s["SPSR_EL1"], s["FAR_EL1"]
"""


def test_exceptions_of_any_class(tables):
    tables.exec(INJECT)
    pc = 0x4008_0000
    for call, vector, esr, far in (
        ("'svc', 5", 0x200, 0x5600_0005, 0x77),
        ("'svc', 5, pstate=0", 0x400, 0x5600_0005, 0x77),
        ("'svc'", 0x200, 0x5600_0000, 0x77),
        ("'brk', 0x800", 0x200, 0xF200_0800, 0x77),
        ("'brk', 1, pstate=0", 0x400, 0xF200_0001, 0x77),
        ("'step'", 0x200, 0xCE00_0022, 0x77),
        ("'step', pstate=0", 0x400, 0xCA00_0022, 0x77),
        ("'breakpoint', pstate=0", 0x400, 0xC200_0022, 0x77),
        ("'watchpoint', 0x123", 0x200, 0xD600_0022, 0x123),
        ("'undefined'", 0x200, 0x0200_0000, 0x77),
        ("0x8a00_0000, 0x4008_0001", 0x200, 0x8A00_0000, 0x4008_0001),
        ("0x1e00_0000, pstate=0", 0x400, 0x1E00_0000, 0x77),
        ("0x9200_0045, 2**64 - 8, pstate=0x10", 0x600, 0x9200_0045, 2**64 - 8),
    ):
        pstate = int(call.partition("pstate=")[2] or "5", 0)
        assert tables.eval(f"taken({call})") == (vector, esr, pc, pstate, far), call
    for call, says in {
        "2**32": "ESR_EL1 has 32 bits",
        "'svc', 0x10000": "an immediate has 16 bits",
        "'party'": "cannot inject 'party'",
        "'irq'": "inject('irq', intid)",
    }.items():
        assert says in tables.repl(f"cpu.inject({call})")
