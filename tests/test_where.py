# SPDX-License-Identifier: MIT
"""cpu.where(): a backtrace through calls and exceptions, and the instructions around the PC."""

import importlib.util
import re
import subprocess
import sys
import types

import pytest
from guestcode import SCRIPT, link
from harness import ROOT
from test_symbols import DISK, LINUX, kernels

GUESTS = ROOT / "build/guests"

# Calls three deep; HVC 0x100 stops in each place that a record of the caller can be in.
NESTED = """
_start:
    mov x29, xzr
    mov x30, xzr
    bl  outer
    b   .
outer:
    hvc #0x100              // 0: nothing saved
    stp x29, x30, [sp, #-16]!
    hvc #0x100              // 1: saved, x29 is still the caller's
    mov x29, sp
    bl  inner
    hvc #0x100              // 4
    ldp x29, x30, [sp], #16
    hvc #0x100              // 5: about to return
    ret
inner:
    stp x29, x30, [sp, #-32]!
    mov x29, sp
    hvc #0x100              // 2
    bl  leaf
    ldp x29, x30, [sp], #32
    ret
leaf:
    hvc #0x100              // 3: no record of its own
    ret
"""
MAP = "vm.symbols.add(memoryview(''.join(sorted(['%016x T %s\\n' % (names[n], n) for n in names])).encode()))"


def test_each_place_that_a_caller_can_be_in(target):
    code, names = link(NESTED)
    names = {
        name: at for name, at in names.items() if name in ("_start", "outer", "inner", "leaf")
    }
    target.exec(f"{SCRIPT}\nnames = {names}\nvm = guest({code!r})\n{MAP}")
    after = {"_start": "_start+0xc", "outer": "outer+0x14", "inner": "inner+0x10"}
    for here, callers in (
        ("outer", ["_start"]),
        ("outer", ["_start"]),
        ("inner", ["outer", "_start"]),
        ("leaf", ["inner", "outer", "_start"]),
        ("outer", ["_start"]),
        ("outer", ["_start"]),
    ):
        target.exec("vm.run()\nvm.cpu[0].pc -= 4")
        frames = target.eval("vm.cpu[0].where().frames")
        assert frames[0][1].split("+")[0] == here and frames[0][2] == "pc"
        assert [(name, how) for _, name, how in frames[1:]] == [
            (after[c], "call") for c in callers
        ], frames
        target.exec("vm.cpu[0].pc += 4")
    shown = target.repl("vm.cpu[0].where()").splitlines()
    assert re.fullmatch(r"#0  0x000000004008\w{4} outer\+0x20", shown[0]), shown
    assert re.fullmatch(r" > 0x000000004008\w{4}  d65f03c0  ret", shown[6]), shown


def test_a_chain_that_leads_nowhere_ends(target):
    """Loops, records outside memory, odd ones, return addresses that are none; as many frames as asked for."""
    target.exec(
        "import hv\nfrom struct import pack\nvm = hv.VM('v', ram='1M'); m = vm.memory; cpu = vm.cpu[0]"
    )
    target.exec(
        "def put(at, *pair): m[at:at+16] = pack('<2Q', *pair)\n"
        "def frames(fp, limit=32):\n    cpu.reset(0x4008_0000); cpu.x[29] = fp\n    return len(cpu.where(limit).frames)"
    )
    target.exec("put(0x4001_0000, 0x4001_0000, 0x4008_0004)")  # itself
    target.exec(
        "put(0x4002_0000, 0x4002_0100, 0x4008_0004); put(0x4002_0100, 0x4002_0000, 0x4008_0008)"
    )
    target.exec("put(0x4003_0000, 0x4003_0010, 0x7000_0000)")  # nothing there
    target.exec("put(0x4003_0100, 0x4003_0110, 0x4008_0002)")  # no instruction's address
    target.exec(
        "for n in range(100): put(0x4004_0000 + 16 * n, 0x4004_0010 + 16 * n, 0x4008_0004)"
    )
    for fp, count in (
        (0, 1),
        (1, 1),
        (0x4000_0003, 1),
        (0x900_0000, 1),
        (2**64 - 8, 1),
        (0x7FFF_FFFF_FFF8, 1),
        (0x4001_0000, 2),
        (0x4002_0000, 3),
        (0x4003_0000, 1),
        (0x4003_0100, 1),
        (0x400F_FFF8, 1),
        (0x4004_0000, 32),
    ):
        assert target.eval(f"frames({fp:#x})") == count, hex(fp)
    assert target.eval("frames(0x4004_0000, 5)") == 5
    assert target.eval("frames(0x4004_0000, 200)") == 101
    target.exec("cpu.reset(0x9000_0000)")
    assert target.repl("cpu.where()") == "#0  0x0000000090000000"
    target.exec("cpu.pstate = 0x10")
    assert target.repl("cpu.where()") == "#0  0x0000000090000000"


def test_registers_that_an_exception_saved(target):
    """Linux's struct pt_regs, of both layouts, with what was interrupted at EL1 and at EL0; and in the vectors."""
    target.exec(
        "import hv\nfrom struct import pack\nvm = hv.VM('v', ram='1M'); m = vm.memory; cpu = vm.cpu[0]\n"
        "def put(at, *pair): m[at : at + 8 * len(pair)] = pack('<%dQ' % len(pair), *pair)\n"
        "def regs(record, offset, pair, x29, x30, pc, pstate):\n"
        "    put(record, *pair)\n"
        "    put(record - offset, *([0] * 29 + [x29, x30, 0x4007_0000, pc, pstate]))\n"
        "def frames(fp):\n    cpu.reset(0x4008_0000); cpu.x[29] = fp\n"
        "    return [(pc - 0x4008_0000, how) for pc, _, how in cpu.where().frames]"
    )
    pc = 0x4008_0040
    target.exec(f"put(0x4001_0000, 0x4002_0000, {pc - 4})\nput(0x4003_0000, 0, 0)")
    target.exec(f"put(0x4006_0000, 0, {pc + 0x100})")
    # At EL1: its record is the interrupted function's x29 and PC; from Linux 6.13 on, zeros.
    for offset, pair in ((304, (0x4003_0000, pc)), (296, (0, 0, 2))):
        target.exec(f"regs(0x4002_0000, {offset}, {pair}, 0x4003_0000, 0, {pc}, 0x6000_0005)")
        assert target.eval("frames(0x4001_0000)") == [
            (0, "pc"),
            (0x3C, "call"),
            (0x40, "exception"),
        ]
        target.exec("put(0x4002_0000 - 304, *([0] * 41))")
    # From EL0, where the chain goes on.
    for offset, pair in ((304, (0, 0)), (296, (0, 0, 1))):
        target.exec(f"regs(0x4002_0000, {offset}, {pair}, 0x4006_0000, 0, {pc}, 0x2000_0000)")
        assert target.eval("frames(0x4001_0000)") == [
            (0, "pc"),
            (0x3C, "call"),
            (0x40, "EL0"),
            (0x140, "call"),
        ]
        target.exec("put(0x4002_0000 - 304, *([0] * 41))")
    # At the vector itself nothing is saved yet.
    for spsr, how in ((5, "exception"), (0, "EL0")):
        target.exec("cpu.reset(0x4008_0000); cpu.sysreg['VBAR_EL1'] = 0x4009_0000")
        target.exec(f"cpu.pstate = {spsr}; cpu.x[29] = 0x4006_0000; cpu.inject('brk')")
        frames = target.eval("[(pc, how) for pc, _, how in cpu.where().frames]")
        assert frames == [
            (0x4009_0200 + 0x200 * (spsr == 0), "pc"),
            (0x4008_0000, how),
            (pc + 0x100, "call"),
        ]


def words(path):
    """(address, word, text) of an ELF file's code, by objdump."""
    lines = subprocess.run(
        ["aarch64-linux-gnu-objdump", "-d", path], capture_output=True, text=True
    ).stdout
    for line in lines.splitlines():
        if found := re.match(r"\s*([0-9a-f]+):\s+([0-9a-f]{8})\s+(\S.*)$", line):
            yield int(found[1], 16), int(found[2], 16), found[3]


def same(text):
    """One way to write numbers and places."""
    text = re.sub(r"\s+", " ", text.partition("//")[0].partition(" <")[0]).strip()
    text = re.sub(r"#(-?0x[0-9a-f]+|-?\d+)", lambda number: f"#{int(number[1], 0)}", text)
    return re.sub(r"\b0x(?=[0-9a-f]+$)", "", text)


@pytest.fixture
def a64(monkeypatch):
    """hv.a64 on the host, which is faster at it."""
    stub = types.ModuleType("_hv")
    stub.sysreg = lambda encoding: (f"s{encoding}", encoding, "")
    monkeypatch.setitem(sys.modules, "_hv", stub)
    spec = importlib.util.spec_from_file_location("a64", ROOT / "modules/hv/a64.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_instructions_are_objdumps(a64, target):
    """All that guests/ and the hypervisor are made of; what is unknown says so. Some of it on the target."""
    known = list(words(GUESTS / "gictest.elf")) + list(words(ROOT / "hypervisor.elf"))[::3]
    # Objdump takes literal pools for data where symbols say so. Names that are one's choice, and what is none of these.
    known = [each for each in known if not each[2].startswith((".", "udf"))]
    other = re.compile(r"(cinc|cinv|cneg|ror|ngcs?|bfc|mrs|msr|tlbi|ic|dc|at|sys)\b")
    made = [a64.instruction(word, pc) for pc, word, _ in known]
    unknown = 0
    for (pc, word, theirs), ours in zip(known, made):
        if ours.startswith(".word"):
            unknown += 1
            assert ours == f".word {word:#010x}"
        elif not other.match(theirs):
            assert same(ours) == same(theirs), (hex(pc), hex(word))
    assert unknown < len(known) / 20
    some = [n for n in range(0, len(known), 997) if not other.match(known[n][2])]
    asked = [(known[n][1], known[n][0]) for n in some]
    target.exec("from hv.a64 import instruction")
    assert target.eval(f"[instruction(*each) for each in {asked}]", seconds=60) == [
        made[n] for n in some
    ]
    for word, text in {0xD538_1000: "mrs x0, sctlr_el1", 0xD508_871F: "tlbi vmalle1"}.items():
        assert target.eval(f"instruction({word}, 0)") == text


def test_source_lines_are_the_hosts(boot, tmp_path):
    target = boot()
    target.mpremote("cp", GUESTS / "hello.elf", ":")
    target.exec("import hv\nvm = hv.VM('h')\nvm.load('hello.elf')")
    target.exec("vm.hvc(0xC600_0001, lambda cpu, *x: hv.STOP)")
    target.exec("vm.run()")
    said = target.exec("print(vm.cpu[0].where())")
    command = [sys.executable, "-m", "elapid", "lines", GUESTS / "hello.elf"]
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=True)
    assert set(said.splitlines()) <= set(done.stdout.splitlines())
    assert re.search(r"#1 .* guest_main\+0x\w+\n +guest_main at \S*hello\.c:\d+\n", done.stdout), (
        done.stdout
    )


# ---- Linux ----------------------------------------------------------------------------------------

WHERE = """
import time
def names(where):
    return [(name.split("+")[0] if name else None, how) for _, name, how in where.frames]
"""
KERNELS = kernels(
    ("6.1-cloud", True, 3, 4, 4),
    ("6.12-cloud", False, 2, 1, 1),
    ("6.1", True, 2, 4, 1),
    ("6.12", False, 3, 4, 4),
)


@pytest.mark.parametrize(("kernel", "kaslr", "gic", "cpus", "smp"), KERNELS)
def test_linux(boot, kernel, kaslr, gic, cpus, smp):
    """Idle; in a system call, with the program that made it; in an interrupt, with what it interrupted."""
    target = boot(mem="512M", gic=gic, smp=smp, args=DISK.split())
    target.exec(LINUX.format(kernel=kernel, cpus=cpus, kaslr=kaslr) + WHERE, seconds=60)
    target.send(b"vm.run()\r")
    target.until(b"/ # ", seconds=120)
    target.interrupt()
    idle = {"do_idle", "cpu_startup_entry"}
    for _ in range(60):  # until it has nothing to do, on any vCPU
        target.exec("vm.start()\ntime.sleep_ms(300)\nvm.pause()")
        stacks = target.eval(f"[names(vm.cpu[n].where()) for n in range({cpus})]", seconds=60)
        if all([idle <= {name for name, _ in frames} for frames in stacks]):
            break
    for frames in stacks:
        assert len(frames) > 5, frames
        assert idle <= {name for name, _ in frames}, frames
        assert None not in {name for name, _ in frames[:-1]}
    # A function's entry begins with "mov x9, x30; nop", or nothing at all of that: the NOP, or the PACIASP, which is
    # one on this core, becomes an HVC.
    target.exec(
        "from struct import unpack\n"
        "def hook(function, handler):\n"
        "    at = vm.address(function)\n"
        "    for place in range(at, at + 32, 4):\n"
        "        (word,) = unpack('<I', vm.cpu[0].read(place, 4))\n"
        "        if word in (0xD503_201F, 0xD503_233F): break\n"
        "    vm.hvc(imm=0x123, handler=handler)\n"
        "    vm.cpu[0].write(place, b'\\x62\\x24\\x00\\xd4')\n"
        "    return place, word\n"
        "got = []\n"
        "def opened(cpu):\n"
        "    if cpu.string(cpu.x[1]) == '/etc/hostname-of-this': got.append(names(cpu.where()))\n"
        "place, word = hook('do_sys_openat2', opened)\n"
    )
    target.exec(
        "vm.console.write(b'cat /etc/hostname-of-this\\r')\nvm.start()\nwhile not got: time.sleep_ms(1)\nvm.pause()",
        seconds=120,
    )
    frames = target.eval("got[0]")
    assert frames[0] == ("do_sys_openat2", "pc")
    assert "__arm64_sys_openat" in frames[1][0] and ("el0t_64_sync", "call") in frames
    (user,) = [n for n, (_, how) in enumerate(frames) if how == "EL0"]
    assert frames[user - 1][0] == "el0t_64_sync" and frames[user][0] is None
    # In an interrupt of the idle loop.
    target.exec("vm.cpu[0].write(place, word.to_bytes(4, 'little'))\ngot = []")
    target.exec(
        "def ticked(cpu):\n"
        "    found = names(cpu.where())\n"
        "    if not got and 'do_idle' in [name for name, how in found]: got.append(found)\n"
        "place, word = hook('irq_enter_rcu', ticked)\n"
        "vm.start()\nwhile not got: time.sleep_ms(1)\nvm.pause()",
        seconds=120,
    )
    frames = target.eval("got[0]")
    taken = [n for n, (_, how) in enumerate(frames) if how == "exception"]
    assert len(taken) == 1 and frames[taken[0] - 1][0] == "el1h_64_irq", frames
    assert ("do_idle", "call") in frames[taken[0] :]
