# SPDX-License-Identifier: MIT
"""vm.fuzz(): inputs that break a guest, found on snapshots; the same from the same seed, and nothing leaks."""

import pytest

# A fuzzer of the parser in guests/, whose mistakes are in three of its functions.
SCRIPT = """
import hv
def parser(name, **options):
    vm = hv.VM("p", "4M")
    vm.load(name + ".elf")
    options = dict(put=("x0", "x1"), max=256, instructions=200_000, ms=20_000, **options)
    fz = vm.fuzz("parse", **options)
    fz.add(b"ELn\\x05hellow\\x01\\x03n\\x03*abz\\x01 ")
    return vm, fz
def by_map(**options):
    return parser("parsermap", cover="map", map="coverage_map", **options)
"""


@pytest.fixture(scope="module")
def machine(image):
    """One that counts instructions, with the guests in its files."""
    from harness import Target

    target = Target(icount=True).boot()
    for name in ("parser", "parsermap"):
        target.mpremote("cp", f"build/guests/{name}.elf", f":{name}.elf")
    yield target
    target.close()


@pytest.fixture
def target(machine):
    return machine.fresh()


def test_a_mistake_is_found_and_found_again(target):
    """From a seed, in a few thousand rounds; another seed finds it elsewhere. A round's own cost is the bench's."""
    script = (
        SCRIPT
        + """
def go(seed):
    vm, fz = by_map(seed=seed)
    with vm, fz:
        fz.run(20_000, crashes=1)
        return fz.rounds, fz.corpus, [(c.input, c.round, c.reason, c.pc, c.frames) for c in fz.crashes]
first, again, other = go(1), go(1), go(2)
print(first == again, first != other, first[0] < 20_000)
vm, fz = by_map()
with vm, fz:
    print(fz.limit)
    fz.run(20_000, crashes=1)
    crash = fz.crashes[0]
    print(crash.where.split(" < ")[1:3], crash.reason[:10], fz.replay(0), vm.cpu[0].where().frames[1][1])
    print(vm.address("word") <= crash.pc < vm.address("word") + 0x100)
"""
    )
    assert target.exec(script, 300).splitlines() == [
        "True True True",
        "200000 instructions, 20000 ms",
        "['record+0x12c', 'parse+0x64'] Data abort crash word+0x54",
        "True",
    ]


def test_ways_to_end(target):
    """What is a crash, what is a hang and why, and that the like is counted, not kept."""
    script = (
        SCRIPT
        + """
vm, fz = by_map()
inputs = (b"ELw\\x02\\xff\\xff", b"ELw\\x01\\x03", b"ELn\\xfb*" + b"A" * 250, b"ELn\\x80*" + b"A" * 127, b"ELb\\x01\\x03")
for data in inputs:
    print(fz.replay(data), end=" ")
print(fz.rounds)
for data in inputs:
    fz.add(data)
fz.run(1 + len(inputs))
print(fz)
print([(c.reason, c.times, len(c.frames), c.round) for c in fz.crashes], fz.hangs[0].reason, fz.hangs[0].round)
print(vm.cpu[0].pc == vm.address("parse"), fz.snapshot.dirty == [] or len(fz.snapshot.dirty) < 10)
try:
    fz.snapshot.drop()
except RuntimeError as e:
    print(e)
try:
    vm.fuzz("parse", put="input", map="coverage_map")
except RuntimeError as e:
    print(e)
fz.close()
print(fz, vm._vm.hold("pages"))
vm.cpu[0].x[1] = 5
two = vm.fuzz(put="input", until="ret", crash="word", cover=None)
two.add(b"ELw\\x01\\x03")
print(two.run(1).crashes)
two.close()
three = vm.fuzz(put="input", until="ret", cover=None, ms=20, instructions=0)
three.add(inputs[4])
print(three.run(1).hangs[0].reason, three.limit)
vm.close()
print(two)
"""
    )
    assert target.exec(script, 200).splitlines() == [
        "crash ok crash crash hang 0",
        "<Fuzz of p at parse: 6 rounds, corpus 6, 2 crashes, 1 hang>",
        "[('Data abort from the current EL', 1, 4, 2), ('Instruction abort from the current EL', 2, 0, 4)]"
        " hang: instructions 6",
        "True True",
        "a fuzzer goes back to this snapshot: close() it first",
        "p has a fuzzer: close() it first",
        "<Fuzz of p: closed> 0",
        "[<word at word < record+0x12c < parse+0x64 < guest_main+0x3c < _start+0x34: 5 bytes>]",
        "hang: time 20 ms",
        "<Fuzz of p: closed>",
    ]


def test_coverage_of_a_guest_that_tells_nothing(target):
    """By one-shot breakpoints, on blocks that are found by themselves or given, and by single steps; as drcov."""
    script = (
        SCRIPT
        + """
def go(**options):
    vm, fz = parser("parser", **options)
    with vm, fz:
        fz.run(5000)
        base = min(fz.blocks or (0x4008_0000,)) & -4096
        n = fz.drcov("/parser.cov")
        with open("/parser.cov", "rb") as file:
            lines = file.read().split(b"\\n", 5)
        return fz.crashes[0].where.split(" < ")[1:], fz.corpus, fz.covered, len(fz.blocks), n, lines
blocks, again, steps = go(), go(cover="blocks"), go(cover="steps")
where, corpus, covered, known, n, lines = blocks
print(blocks == again, where == steps[0], len(corpus) > 5, 40 < len(covered) <= known < 60, n == len(covered))
print(lines[0], lines[2], lines[5].split(b"\\n")[0], len(lines[5].split(b"\\n", 1)[1]) == 8 * n)
print(20 < len(steps[2]), set(steps[2]) & set(covered) != set())
vm, fz = parser("parser", blocks=("word", "name", "back"))
with vm, fz:
    print([vm.address("word"), vm.address("name")] == sorted(fz.run(1).covered, reverse=True) or fz.covered)
    code = vm.memory[vm.address("back") : vm.address("back") + 4]
    fz.close()
    print(code == vm.memory[vm.address("back") : vm.address("back") + 4])
    try:
        vm.fuzz("parse", put="input", blocks=(1,))
    except ValueError as e:
        print(e)
"""
    )
    lines = target.exec(script, 300).splitlines()
    assert lines[0] == "True True True True True"
    assert "DRCOV VERSION: 2" in lines[1] and "bbs" in lines[1] and lines[1].endswith("True")
    assert lines[2:] == [
        "True True",
        "True",
        "True",
        "0x1: the guest has no RAM there",
    ]


def test_functions_of_a_script_and_files(target):
    """put= and oracle= are functions; what they raise comes out. A corpus goes out and in as AFL++ has it. Nothing leaks."""
    script = (
        SCRIPT
        + """
import os
asked = []
def put(cpu, data):
    cpu.write(cpu.x[0], data)
    cpu.x[1] = len(data)
def oracle(cpu, data, verdict):
    asked.append(verdict)
    return "crash" if data[:1] == b"X" else None
vm = hv.VM("p", "4M")
vm.load("parser.elf")
with vm, vm.fuzz("parse", put=put, oracle=oracle, max=64) as fz:
    fz.add(b"ELw\\x01\\x03")
    fz.add(b"X")
    fz.run(20)
    print(len(asked), [c.input for c in fz.crashes][:1], fz.rounds)
    def put(cpu, data):
        raise ValueError("mine")
    fz._put = put
    try:
        fz.run(1)
    except ValueError as e:
        print(e, vm.cpu[0].pc == vm.address("parse"))
vm, fz = by_map()
with vm, fz:
    fz.run(3000)
    fz.export("/out")
    print(len(os.listdir("/out/queue")) == len(fz.corpus), len(os.listdir("/out/crashes")) == len(fz.crashes))
    print([line for line in open("/out/fuzzer_stats") if line.startswith("execs_done")])
    corpus = fz.corpus
    fz.close()
    fz = vm.fuzz("parse", put=("x0", "x1"), cover="map", map="coverage_map", max=256)
    print(fz.load("/out") == len(corpus), fz.corpus == corpus)
    fz.run(2000)
    used = fz._native("used")
    pages = vm._vm.hold("pages")
    fz.run(3000)
    print(vm._vm.hold("pages") == pages, fz._native("used") - used < 65536)
"""
    )
    assert target.exec(script, 300).splitlines() == [
        "20 [b'X'] 20",
        "mine True",
        "True True",
        "['execs_done        : 3000\\n']",
        "True True",
        "True True",
    ]


def test_control_c_ends_a_run(target):
    """What was found stays, and the round that was under way is made again: what comes of it is what would have."""
    target.exec(SCRIPT + "vm, fz = by_map()")
    target.send(b"fz.run()\r")
    target.until(b"fz.run()")
    target.send(b"\x03")
    target.until(b"KeyboardInterrupt")
    target.until(b">>> ")
    target.at_prompt = True
    script = """
n = fz.rounds
print(vm.cpu[0].pc == vm.address("parse"))
fz.run(200)
corpus = fz.corpus
vm.close()
vm, fz = by_map()
print(fz.run(n + 200).corpus == corpus)
vm.close()
"""
    assert target.exec(script, 300).splitlines() == ["True", "True"]


@pytest.mark.long
def test_100_000_rounds_leak_nothing(target):
    """Neither pages of the snapshot nor memory of the machine; what is kept is what was found."""
    script = (
        SCRIPT
        + """
vm, fz = by_map()
with vm, fz:
    fz.run(10_000)
    before = vm._vm.hold("pages")
    for i in range(9):
        fz.run(10_000)
    print(fz.rounds, vm._vm.hold("pages") == before, fz._native("used") < 1 << 20)
"""
    )
    assert target.exec(script, 1800).splitlines() == ["100000 True True"]
