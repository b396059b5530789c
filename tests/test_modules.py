# SPDX-License-Identifier: MIT
"""MicroPython's modules on the target."""

import math
import re
import time

import pytest
from harness import TargetError

MODULES = """
    array asyncio binascii builtins cmath collections deflate errno gc hashlib heapq io json
    machine math micropython os platform random re select struct sys time typing uctypes vfs hv
""".split()


@pytest.mark.parametrize("name", MODULES)
def test_import(target, name):
    assert target.exec(f"import {name}; print({name}.__name__)") == f"{name}\n"


def test_typing(target):
    """What is written with types for CPython runs as it is."""
    script = """
from typing import TYPE_CHECKING, Any, Callable, Dict, Generic, Iterator, List, Literal, NamedTuple, NewType, Optional
from typing import Protocol, Tuple, TypedDict, TypeVar, Union, cast, final, overload
import typing as t
if TYPE_CHECKING:
    from somewhere import nothing
T = TypeVar("T", bound="Box")
Numbers = Dict[str, List[Tuple[int, ...]]]
Handler = Callable[[Any, int], Optional[Union[int, Literal["x"]]]] | None
UserId = NewType("UserId", int)
Place = NamedTuple("Place", [("name", str), ("at", int)])
class Reader(Protocol):
    def read(self, n: int) -> bytes: ...
@final
class Box(Generic[T]):
    size: int = 5
    def __init__(self, what: T, more: Numbers | None = None) -> None:
        self.what: T = what
    @overload
    def get(self) -> T: ...
    def get(self, f: "Handler" = None) -> Iterator[T]:
        yield cast(T, self.what)
class Movie(TypedDict):
    name: str
class File(Reader):
    pass
print(next(Box(3).get()), UserId(7), Place("x", 2).at, Movie(name="y")["name"], isinstance(File(), Reader), t.Any is Any)
try:
    t.nonsense
except AttributeError as e:
    print(e)
"""
    assert target.exec(script) == "3 7 2 y True True\nnonsense\n"


def test_integers_and_floats(target):
    assert target.eval("2 ** 200 // 3 ** 50") == 2**200 // 3**50
    assert target.eval("-1 & 0xffff_ffff_ffff_ffff") == (1 << 64) - 1
    assert target.eval("0.1 + 0.2") == 0.1 + 0.2
    assert target.exec("print(1e308 * 10, 5e-324 > 0)") == "inf True\n"
    printed = target.exec("import math; print(math.sqrt(2), math.sin(1), math.exp(1))").split()
    assert [float(x) for x in printed] == pytest.approx(
        [math.sqrt(2), math.sin(1), math.exp(1)], rel=1e-15
    )


def test_floats_survive_an_exception(target):
    """Callee-saved FP registers must survive a non-local return."""
    code = """
def f(x):
    try:
        raise ValueError
    except ValueError:
        return x * 1.5 + 0.25
print(sum(f(n * 0.5) for n in range(1000)))
"""
    expected = sum(n * 0.5 * 1.5 + 0.25 for n in range(1000))
    assert float(target.exec(code)) == expected


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_mem(target, bits):
    size = bits // 8
    value = 0x8877665544332211 & ((1 << bits) - 1)
    code = f"""
import machine, uctypes
buffer = bytearray(24)
at = (uctypes.addressof(buffer) + 7) & ~7
machine.mem{bits}[at] = {value}
print(machine.mem{bits}[at] == {value}, bytes(buffer)[at - uctypes.addressof(buffer):][:{size}])
"""
    assert target.exec(code) == f"True {value.to_bytes(size, 'little')!r}\n"


@pytest.mark.parametrize("where", ["0", "0x3f00_0000", "1 << 39", "0xffff_ffff_ffff_fff8"])
@pytest.mark.parametrize("what", ["machine.mem32[{}]", "machine.mem64[{}] = 1"])
def test_bad_address_is_an_exception(target, where, what):
    """Reads and writes of nothing raise, and the prompt lives on."""
    with pytest.raises(TargetError) as error:
        target.exec("import machine\n" + what.format(where))
    assert f"{eval(where):#x}" in error.value.traceback.lower().replace("_", "")
    assert target.repl("1 + 1") == "2"


def test_fault_is_an_oserror(target):
    code = "import machine\ntry: machine.mem8[0]\nexcept OSError as e: print('caught', e)"
    assert target.exec(code).startswith("caught ")


def test_unaligned_mem_is_an_exception(target):
    with pytest.raises(TargetError, match="ValueError|align"):
        target.exec("import machine; machine.mem32[0x4000_0001]")


def test_time_runs_like_the_hosts(target):
    begin = time.monotonic()
    target_ms = int(
        target.exec(
            "import time; a = time.ticks_ms(); time.sleep(0.5); print(time.ticks_ms() - a)"
        )
    )
    host_ms = (time.monotonic() - begin) * 1000
    assert 490 <= target_ms <= host_ms + 20  # one after the other, so however long the host takes


def test_ticks(target):
    code = """
import time
us, ms = time.ticks_us(), time.ticks_ms()
time.sleep_us(3000)
print(2900 < time.ticks_diff(time.ticks_us(), us) < 60_000_000, time.ticks_ms() - ms >= 2)
ms = time.ticks_ms()
print(time.ticks_diff(time.ticks_add(ms, -5), ms))
"""
    assert target.exec(code) == "True True\n-5\n"


def test_clock_is_todays(target):
    """The board's clock is the PL031, which QEMU sets from the host's."""
    before = time.time()
    now = target.exec("import time; print(time.time_ns() // 10**9, time.gmtime()[0])").split()
    assert before - 2 < int(now[0]) < time.time() + 2
    assert time.gmtime(before).tm_year <= int(now[1]) <= time.gmtime().tm_year


def test_asyncio(boot):
    code = """
import asyncio
async def tick(name, ms):
    for n in range(3):
        await asyncio.sleep_ms(ms)
        print(name, n)
async def main():
    await asyncio.gather(tick('a', 40), tick('b', 60))
asyncio.run(main())
"""
    target = boot(icount=True)  # whose time stands still while the host does not run it
    lines = target.exec(code).split("\n")
    assert sorted(lines[:-1]) == ["a 0", "a 1", "a 2", "b 0", "b 1", "b 2"]
    assert lines[0] == "a 0" and lines[-2] == "b 2"


def test_select_on_the_console(target):
    code = """
import select, sys
poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
print(len(poll.poll(0)))
poll.modify(sys.stdin, select.POLLOUT)
print(len(poll.poll(0)))
"""
    assert target.exec(code) == "0\n1\n"


def test_machine_timer(boot):
    code = """
import machine, time
count = 0
def tick(timer):
    global count
    count += 1
timer = machine.Timer(-1, period=10, mode=machine.Timer.PERIODIC, callback=tick)
time.sleep_ms(205)
timer.deinit()
seen = count
time.sleep_ms(50)
print(15 <= seen <= 21, count == seen)
"""
    target = boot(icount=True)
    assert target.exec(code) == "True True\n"


def test_machine_reset(boot):
    target = boot()
    target.send("import machine; machine.reset()\r")
    target.until("machine.reset()")
    assert "MicroPython v1." in target.wait_prompt(20)


def test_machine_names(target):
    assert target.eval("__import__('machine').freq()") > 0
    assert len(target.eval("__import__('machine').unique_id()")) > 0


def test_json_re_struct_binascii_hashlib(target):
    code = """
import json, re, struct, binascii, hashlib
print(json.loads(json.dumps({'a': [1, 2.5, None, 'x']})))
print(re.match('(\\\\w+)@(\\\\w+)', 'el2@arm').groups())
print(struct.unpack('<QhB', struct.pack('<QhB', 1 << 63, -2, 3)))
print(binascii.hexlify(hashlib.sha256(b'abc').digest()).decode())
"""
    assert target.exec(code) == (
        "{'a': [1, 2.5, None, 'x']}\n('el2', 'arm')\n(9223372036854775808, -2, 3)\n"
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
    )


def test_deflate_round_trip(target):
    code = """
import deflate, io
raw = b'hypervisor ' * 200
out = io.BytesIO()
with deflate.DeflateIO(out, deflate.ZLIB) as d:
    d.write(raw)
print(len(out.getvalue()) < 200)
print(deflate.DeflateIO(io.BytesIO(out.getvalue())).read() == raw)
"""
    assert target.exec(code) == "True\nTrue\n"


def test_uctypes_structure(target):
    code = """
import uctypes
data = bytearray(range(16))
s = uctypes.struct(uctypes.addressof(data), {'q': 0 | uctypes.UINT64, 'w': 8 | uctypes.UINT32})
print(hex(s.q), hex(s.w))
"""
    assert target.exec(code) == "0x706050403020100 0xb0a0908\n"


def test_unittest_is_there(target):
    code = """
import unittest
class T(unittest.TestCase):
    def test_one(self):
        self.assertEqual(1 + 1, 2)
unittest.main()
"""
    assert re.search(r"Ran 1 test", target.exec(code))


def test_heap_comes_from_ram(boot):
    small = boot(mem="128M").eval("__import__('gc').mem_free()")
    large = boot(mem="1G").eval("__import__('gc').mem_free()")
    assert small > 4 << 20 and large >= small


def test_big_allocations_and_collection(target):
    code = """
import gc
for _ in range(50):
    block = bytearray(1 << 20)
    block[-1] = 7
del block
gc.collect()
print(gc.mem_free() > 1 << 20)
try:
    bytearray(1 << 40)
except MemoryError as e:
    print('MemoryError')
"""
    assert target.exec(code, 60) == "True\nMemoryError\n"


def test_deep_recursion_is_an_exception(each_target):
    with pytest.raises(TargetError, match="RuntimeError"):
        each_target.exec("def f():\n    f()\nf()")
    assert each_target.repl("1 + 1") == "2"


def test_scheduler(target):
    code = """
import micropython, time
micropython.schedule(lambda x: print('later', x), 5)
time.sleep_ms(10)
"""
    assert target.exec(code) == "later 5\n"


def test_random_differs_between_boots(boot):
    draws = {boot().eval("__import__('os').urandom(8)") for _ in range(2)}
    assert len(draws) == 2
