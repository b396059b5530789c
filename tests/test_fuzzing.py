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
        "<Fuzz of p: closed>",
    ]
