# SPDX-License-Identifier: MIT
"""Nothing typed stops the machine: an exception and a prompt, whatever it was."""

import re
import subprocess
import time

import pytest
from elapid.console import CTRL_C
from harness import ROOT, Hung, Target

RECURSION = "RuntimeError: maximum recursion depth exceeded"

# What is typed, as one script; what is printed somewhere in the answer.
TYPED = {
    # Functions in C that call themselves, deeper than the stack.
    "lists that hold themselves": ("a=[]; a.append(a); b=[]; b.append(b); a == b", RECURSION),
    "dicts that hold themselves": ("a={}; a[0]=a; b={}; b[0]=b; a == b", RECURSION),
    "tuple order": ("a=[]; a.append(a); b=[]; b.append(b); a < b", RECURSION),
    "hash": ("t=()\nfor i in range(20000): t=(t,)\nhash(t)", RECURSION),
    "hash as a key": ("t=()\nfor i in range(20000): t=(t,)\n{t: 1}", RECURSION),
    "hash in a set": ("t=()\nfor i in range(20000): t=(t,)\n{1, 2, t}", RECURSION),
    "repr": ("a=[]\nfor i in range(20000): a=[a]\nx = repr(a)", RECURSION),
    "repr of itself": ("a=[]; a.append(a); repr(a)", RECURSION),
    "in": ("a=[]; a.append(a); b=[]; b.append(b); b in [a]", RECURSION),
    "index": ("a=[]; a.append(a); b=[]; b.append(b); [a].index(b)", RECURSION),
    "re, nested groups": ("import re; re.compile('(' * 4000)", RECURSION),
    "re, backtracking": ("import re; re.match('(a|b)*', 'ab' * 20000)", ""),
    "json.dumps": (
        "import json\na=[]\nfor i in range(20000): a=[a]\nx = json.dumps(a)",
        RECURSION,
    ),
    "json.loads": ("import json; x = json.loads('[' * 20000 + ']' * 20000)", ""),
    "brackets": ("eval('[' * 5000 + ']' * 5000)", "Error"),
    "parentheses": ("eval('(' * 5000 + ')' * 5000)", ""),
    "minus": ("eval('-' * 20000 + '1')", "1"),
    "not": ("eval('not ' * 20000 + '1')", "True"),
    "power": ("eval('**'.join('1' * 20000))", "1"),
    "conditionals": ("eval('1 if 0 else ' * 20000 + '1')", "Error"),
    "lambdas": ("eval('lambda: ' * 5000 + '1')", ""),
    "calls": ("eval('f(' * 4000 + ')' * 4000)", "Error"),
    "attributes": ("eval('a' + '.a' * 20000)", "NameError"),
    "ifs": ("exec(''.join(' ' * i + 'if 1:\\n' for i in range(500)) + ' ' * 500 + 'pass')", ""),
    "iterators": ("i = iter([])\nfor _ in range(20000): i = map(abs, i)\nlist(i)", RECURSION),
    "zips": ("i = iter([1])\nfor _ in range(20000): i = zip(i)\nx = next(i)", RECURSION),
    "enumerations": (
        "i = iter([1])\nfor _ in range(20000): i = enumerate(i)\nx = next(i)",
        RECURSION,
    ),
    "filters": (
        "i = iter([1])\nfor _ in range(20000): i = filter(None, i)\nx = next(i)",
        RECURSION,
    ),
    "reversed": ("i = iter([1])\nfor _ in range(20000): i = iter(i)\nx = next(i)", ""),
    "bound methods": (
        "m = len\nclass A: pass\nfor i in range(20000):\n  a = A(); a.f = m; m = a.f\nm([])",
        "",
    ),
    "isinstance": ("t = int\nfor i in range(20000): t = (t,)\nisinstance(1, t)", "False"),
    "str.format": ("'{:{:{:{}}}}'.format(1, 2, 3, 4)", "ValueError"),
    "percent": ("a=[]\nfor i in range(20000): a=[a]\nx = '%r' % a", "Error"),
    "print": ("a=[]\nfor i in range(20000): a=[a]\nprint(a)", RECURSION),
    "classes": ("c = object\nfor i in range(5000): c = type('C', (c,), {})\nc().x", "Error"),
    "class attribute": (
        "c = object\nfor i in range(5000): c = type('C', (c,), {})\nissubclass(c, int)",
        "",
    ),
    "sorted": ("a=[]; a.append(a); b=[]; b.append(b); sorted([a, b])", RECURSION),
    "sorted, keys": ("sorted(range(1000), key=lambda x: sorted([x, 1]))", ""),
    "max": ("a=[]; a.append(a); b=[]; b.append(b); max(a, b)", RECURSION),
    "deque": ("from collections import deque; d = deque((), 5); d.append(d); d == d; repr(d)", ""),
    "OrderedDict": (
        "from collections import OrderedDict as O; a=O(); a[0]=a; b=O(); b[0]=b; a == b",
        RECURSION,
    ),
    "array of sums": ("sum([[1]], [])", ""),
    "marshal": ("import marshal; marshal.loads(b'M\\x06' * 10)", "Error"),
    "uctypes": ("import uctypes; d = {}; d['a'] = (0, d); uctypes.sizeof(d)", "Error"),
    # Python that calls itself.
    "function": ("def f(): f()\nf()", RECURSION),
    "generators": ("def g():\n  yield from g()\nlist(g())", RECURSION),
    "getattr": ("class A:\n  def __getattr__(self, n): return getattr(self, n)\nA().x", RECURSION),
    "__repr__": ("class A:\n  def __repr__(self): return repr(self)\nA()\nrepr(A())", RECURSION),
    "__eq__": ("class A:\n  def __eq__(self, o): return self == o\nA() == A()", RECURSION),
    "__hash__": ("class A:\n  def __hash__(self): return hash(self)\nhash(A())", RECURSION),
    "__del__": (
        "class A:\n  def __del__(self): A(); 1/0\nimport gc\nfor i in range(50): A()\ngc.collect()",
        "",
    ),
    "import": (
        "open('ri.py', 'w').write('import sys; sys.modules.pop(\"ri\", 0); import ri')\nimport ri",
        "",
    ),
    "exec": ("s = 'exec(s)'\nexec(s)", RECURSION),
    # Memory.
    "heap full": ("L=()\nwhile True: L=(L,)", "MemoryError"),
    "heap full of small": ("L=[]\nwhile True: L.append([])", "MemoryError"),
    "heap full of text": ("L=[]\nwhile True: L.append(str(len(L)))", "MemoryError"),
    "a bytearray too much": ("bytearray(1 << 40)", "Error"),
    "a bytearray of all there is": ("bytearray(-1 & (1 << 62) - 1)", "Error"),
    "a list too long": ("[0] * (1 << 59)", "Error"),
    "a string too long": ("'x' * (1 << 61)", "Error"),
    "an int too large": ("1 << (1 << 40)", "Error"),
    "heap locked": ("import micropython; micropython.heap_lock(); x=[1]", "MemoryError"),
    "heap locked, twice": (
        "import micropython; micropython.heap_lock(); micropython.heap_lock(); x=[1]",
        "MemoryError",
    ),
    "no collection": ("import gc; gc.disable()\nL=()\nwhile True: L=(L,)", "MemoryError"),
    "full, then recursion": (
        "L=()\ntry:\n  while True: L=(L,)\nexcept MemoryError: pass\na=[]; a.append(a); b=[]; b.append(b); a == b",
        "Error",
    ),
    # Python that does not return.
    "callback": (
        "import micropython\ndef f(x):\n  while True: pass\nmicropython.schedule(f, 0)",
        CTRL_C,
    ),
    "timer": (
        "import machine\ndef f(x):\n  x.deinit()\n  while True: pass\nmachine.Timer(-1, mode=machine.Timer.ONE_SHOT, period=1, callback=f)",
        CTRL_C,
    ),
    "text of an exception": (
        "class A:\n  def __str__(self):\n    while True: pass\n  __repr__ = __str__\nraise Exception(A())",
        CTRL_C,
    ),
    "a width": ("'%1000000000d' % 1", "MemoryError"),
    "a width of format": ("'{:1000000000}'.format('x')", "MemoryError"),
    "dice": ("import random; print(random.randrange(1 << 40) >> 40)", "0"),
    "dice, all": ("import random; random.randint(1 - (1 << 63), (1 << 63) - 1)", ""),
    # What the prompt itself needs.
    "interrupts off": ("import machine; machine.disable_irq()", ""),
    "interrupts off, then deep": (
        "import machine; machine.disable_irq(); a=[]; a.append(a); b=[]; b.append(b); a == b",
        RECURSION,
    ),
    "interrupts off, then read": (
        "import machine, sys; machine.disable_irq(); sys.stdin.read(1)\n",
        CTRL_C,
    ),
    "an exception that raises": (
        "class A:\n  def __str__(self): 1/0\n  __repr__ = __str__\nraise ValueError(A())",
        "ValueError: (and ZeroDivisionError",
    ),
    "an exception that recurs": (
        "class A:\n  def __str__(self): return str(self)\n  __repr__ = __str__\nraise ValueError(A())",
        "ValueError: (and RuntimeError",
    ),
    "an exception of lists": (
        "a=[]\nfor i in range(20000): a=[a]\nraise Exception(a)",
        "Exception",
    ),
    "a class without name": ("raise type('', (Exception,), {})()", ""),
    "exit": ("import sys; sys.modules.clear()", ""),
    "no builtins": (
        "import builtins\nfor n in dir(builtins):\n  try: delattr(builtins, n)\n  except Exception: pass",
        "",
    ),
    "no globals": ("globals().clear()", ""),
    "print replaced": ("import builtins; builtins.print = None", ""),
    "no stdout": ("import sys\ntry: sys.stdout.close()\nexcept Exception: pass", ""),
    "stdout replaced": ("import sys\ntry: sys.stdout = None\nexcept Exception: pass", ""),
    "dupterm that raises": (
        "import os, io\nclass D(io.IOBase):\n  def write(self, b): 1/0\n  def readinto(self, b): 1/0\n  def ioctl(self, a, b): 1/0\nos.dupterm(D())",
        "",
    ),
    "dupterm of nothing": ("import os\nos.dupterm(object())", ""),
    "dupterm without memory": (
        "import os, io\nclass D(io.IOBase):\n  def write(self, b): return len(b)\n  def readinto(self, b): return [0] * 100 and None\nos.dupterm(D())",
        "",
    ),
    "kbd_intr": ("import micropython; micropython.kbd_intr(-1)", ""),
    "schedule": (
        "import micropython\nfor i in range(100):\n  try: micropython.schedule(lambda x: 1/0, i)\n  except RuntimeError: pass",
        "ZeroDivisionError",
    ),
    "schedule itself": ("import micropython\ndef f(x): micropython.schedule(f, x)\nf(1)", ""),
    "timers": (
        "import machine\ndef f(t):\n  t.deinit()\n  1/0\nfor i in range(20): machine.Timer(-1, period=1, callback=f)\nimport time; time.sleep_ms(300)",
        "ZeroDivisionError",
    ),
    "heap locked in a callback": (
        "import micropython\nmicropython.schedule(lambda x: micropython.heap_lock(), 0)",
        "",
    ),
    "stack": ("import micropython; micropython.stack_use()", ""),
    "emergency buffer": (
        "import micropython; micropython.alloc_emergency_exception_buf(1 << 50)",
        "",
    ),
    "mem32": ("import machine; machine.mem32[0]", "Fault"),
    "uctypes at 0": (
        "import uctypes; uctypes.bytearray_at(0, 4)",
        "Fault: cannot read memory at 0x0",
    ),
    "uctypes store": (
        "import uctypes; uctypes.bytearray_at(16, 4)[0] = 1",
        "cannot write memory at 0x10",
    ),
}


# C that does not return, or not in an hour.
ENDLESS = {
    "power": "a = 10 ** 1000\na ** a",
    "power, modulo": "a = 10 ** 4000\npow(3, a, a + 1)",
    "text of a number": "a = 7 ** 30000\nfor i in range(10): a = a * a\nstr(a)",
    "number of a text": "int('9' * 3000000)",
    "quotient": "(1 << 16000000) // ((1 << 8000000) + 1)",
    "constants of the compiler": "7 ** 40000000",
    "factorial": "import math; math.factorial(2000000)",
    "sum": "sum(range(1 << 60))",
    "largest": "max(range(1 << 60))",
    "any": "any(map(lambda x: 0, range(1 << 60)))",
    "next": "next(filter(lambda x: 0, range(1 << 60)))",
    "in a range": "-1 in iter(range(1 << 60))",
    "in pairs": "-1 in zip(range(1 << 60), enumerate(range(1 << 60)))",
    "a deque of all": "import collections; collections.deque(range(1 << 60), 5)",
    "re, exponential": "import re; re.match('(a|a)*b', 'a' * 40)",
    "re, to the sixth": "import re; re.match('a*a*a*a*a*a*b', 'a' * 400)",
    "tuples of tuples": "a = b = ()\na = (a,); b = (b,)\nfor i in range(60): a = (a, a); b = (b, b)\na == b",
    "hash of tuples": "a = ()\nfor i in range(60): a = (a, a)\nhash(a)",
    "lists of lists": "a = [1]; b = [1]\nfor i in range(60): a = [a, a]; b = [b, b]\na < b",
    "find": "('a' * 4000000).find('a' * 2000000 + 'b')",
    "time": "import time; time.mktime((-1 << 60, 1, 1 << 60, 0, 0, 0, 0, 0))",
    "print": "while True: print('x' * 4000000)",
    "line": "import framebuf as f; f.FrameBuffer(bytearray(9), 3, 3, f.GS8).line(-(1 << 30), 0, 1 << 30, 5, 1)",
}


@pytest.fixture(params=[(2, 1), (3, 4)], ids=["gicv2-1", "gicv3-4"], scope="module")
def machine(request):
    gic, smp = request.param
    target = Target(gic=gic, smp=smp).boot()
    yield target
    target.close()


def type_in(target, script):
    """As a person pastes it, in paste mode."""
    target.repl("")
    target.send(b"\x05")
    target.until("=== ")
    target.send(script.replace("\n", "\r").encode())
    target.send(b"\x04")


def end_by_ctrl_c(target):
    """What a person does about a loop: Ctrl-C, again when it did not help."""
    for _ in range(8):
        target.send(CTRL_C)
        time.sleep(0.1)
    for tries in range(10):
        try:
            target.line.friendly(1 if tries < 9 else 10)
            break
        except Hung:  # a loop that began only now
            pass
    target.at_prompt = True


@pytest.mark.parametrize("name", TYPED)
def test_prompt_lives(machine, name):
    script, expected = TYPED[name]
    type_in(machine, script)
    if expected is CTRL_C:
        end_by_ctrl_c(machine)
    else:
        assert expected in machine.wait_prompt(60)
    if "L=" in script:  # let go of what fills the heap
        assert "Error" not in machine.repl("L = None")
    assert machine.repl("6 * 7") == "42"
    machine.soft_reset()
    assert machine.repl("6 * 7") == "42"


@pytest.mark.parametrize("name", ENDLESS)
def test_ctrl_c_in_c(machine, name):
    """Ctrl-C ends what C is at work on. In constants that the compiler computes, or in C that is left in pieces,
    it may take another one."""
    type_in(machine, ENDLESS[name])
    machine.until("\n")  # the last line's
    for _ in range(20):
        machine.send(CTRL_C)
        try:
            answer = machine.wait_prompt(0.3)
            break
        except Hung:
            pass
    assert "KeyboardInterrupt" in answer
    assert machine.repl("6 * 7") == "42"


def test_mpremote_after_a_locked_heap(machine):
    status, text = machine.mpremote(
        "exec", "import micropython; micropython.heap_lock(); x=[1]", check=False
    )
    assert status == 1 and "heap is locked" in text
    assert "42" in machine.mpremote("exec", "print(6 * 7)")
    status, text = machine.mpremote(
        "exec", "import micropython; micropython.heap_lock()", check=False
    )
    assert "42" in machine.mpremote("resume", "exec", "print(6 * 7)")


def test_mpremote_with_a_full_heap(machine):
    status, text = machine.mpremote("exec", "L=()\nwhile True: L=(L,)", check=False)
    assert status == 1 and "MemoryError" in text
    assert "42" in machine.mpremote("resume", "exec", "L = None; print(6 * 7)")
    assert machine.repl("6 * 7") == "42"


def test_mpremote_after_recursion(machine):
    status, text = machine.mpremote(
        "exec", "a=[]; a.append(a); b=[]; b.append(b); a == b", check=False
    )
    assert status == 1 and RECURSION in text
    assert "42" in machine.mpremote("resume", "exec", "print(6 * 7)")


def test_recursion_many_times(machine):
    """Nothing of the stack's reserve is lost, also when interrupts come at the worst moment."""
    script = """
import machine
n = 0
t = [machine.Timer(-1, period=1, callback=lambda t: None) for i in range(8)]
a=[]; a.append(a); b=[]; b.append(b)
for i in range(3000):
    try: a == b
    except RuntimeError: n += 1
for x in t: x.deinit()
print(n)
"""
    assert machine.exec(script, seconds=120) == "3000\n"


def test_recursion_in_a_handler(machine):
    """The guest's exit ends by the exception; the VM can go on."""
    script = """
import hv, struct
vm = hv.VM(ram="1M")
vm.load(struct.pack("<3I", 0xD40000E2, 0x91000400, 0x17FFFFFE), at=0x4008_0000)
a=[]; a.append(a); b=[]; b.append(b)
@vm.hvc(imm=7)
def handler(cpu):
    if deep: return a == b
    return hv.STOP
deep = True
try: vm.run(60_000)
except RuntimeError as e: print(e)
deep = False
print(vm.run(60_000).reason)
vm.close()
"""
    assert machine.exec(script, seconds=30) == "maximum recursion depth exceeded\nstop\n"


def test_the_report_of_an_overflow_has_addresses_and_a_way_out(boot):
    """Where nothing may be unwound: here because it seems to be under way."""
    symbols = subprocess.run(
        ["aarch64-linux-gnu-nm", ROOT / "hypervisor.elf"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (raising,) = re.findall(r"^([0-9a-f]+) \w raising$", symbols, re.MULTILINE)
    target = boot()
    target.repl(f"import machine; machine.mem8[0x{raising}] = 1")
    target.send("a=[]; a.append(a); b=[]; b.append(b); a == b\r")
    report = target.until("Ctrl-A X", seconds=20)
    assert "*** Elapid stopped: EL2 stack overflow" in report
    assert (
        len(re.findall(r" 402[0-9a-f]{5}\b", report.partition("addresses on the stack")[2])) >= 8
    )


SEEDED = "[84, 81, 9, 97, 72, 13] 9 b"


def test_dice_of_64_bits(machine):
    """The right values, evenly spread, from the smallest range to all of a machine word; the numbers a seed
    gives within 32 bits are upstream's."""
    script = """
import random
random.seed(3)
print([random.randrange(100) for _ in range(6)], random.randint(5, 9), random.choice("abcdef"))
def parts(make, low, high):
    "How many of 800 fall into each eighth, and whether all are where they should be."
    got = [make() for _ in range(800)]
    eighth = [0] * 8
    for n in got:
        eighth[(n - low) * 8 // (high - low)] += 1
    assert min(eighth) > 50 and max(eighth) < 160, eighth
    return got
for bits in (10, 31, 32, 33, 40, 62):
    for n in (1 << bits, (1 << bits) + (1 << bits - 1)):
        parts(lambda: random.randrange(n), 0, n)
        parts(lambda: random.randrange(-n, n), -n, n)
        parts(lambda: random.randint(1 - n, n), 1 - n, n + 1)
        if bits < 62:  # as far as len() tells
            parts(lambda: random.choice(range(n)), 0, n)
        for step in (3, -3):
            first, last = (-n, n) if step > 0 else (n, -n)
            assert not {(x - first) % 3 for x in parts(lambda: random.randrange(first, last, step), -n - 3, n + 3)} - {0}
most = (1 << 63) - 1
parts(lambda: random.randint(-most, most), -most, most + 1)
parts(lambda: random.randrange(-most, most), -most, most)
parts(lambda: random.randrange(-most, most, 1 << 32), -most, most)
for bad in ((0,), (-5,), (3, 3), (4, 3), (3, 4, -1), (4, 3, 1), (1, 2, 0)):
    try:
        random.randrange(*bad)
        print("taken", bad)
    except ValueError:
        pass
"""
    seeded, *more = machine.exec(script, seconds=60).splitlines()
    assert seeded == SEEDED and not more, more
