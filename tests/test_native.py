# SPDX-License-Identifier: MIT
"""Python compiled on the target: @micropython.native and @micropython.viper. Upstream's own tests of both run in
test_upstream.py; here is what is this port's."""

import contextlib
import random
import subprocess
import sys

import pytest
from elapid.console import CTRL_C
from guestcode import link, run
from harness import ROOT, Hung, TargetError

sys.path.append(str(ROOT / "tests/fuzz"))
import compiled  # noqa: E402

# Both ways of each operation, with operands that fit in place, that do not, and that are no ints at all.
OPERATIONS = """
import random
OPS = "+ - * // % & | ^ << >> < <= > >= == != is".split()
random.seed(1)
edge = [0, 1, -1, 2, 5, 61, 62, 63, 2**31, 2**61, -2**61, 2**62 - 1, -2**62, 2**62, -2**62 - 1, 2**63, 2**64 - 1]
edge += [True, False, None, 1.5, "ab"]
numbers = edge + [(random.getrandbits(32) << 32 | random.getrandbits(32)) >> random.randrange(64) for _ in range(12)]

def outcome(f, *args):
    try:
        got = f(*args)
        return type(got), got
    except Exception as error:
        return type(error), str(error)

wrong = 0
def same(text, pairs, arguments="a, b"):
    global wrong
    scope = {}
    exec(f"def plain({arguments}):\\n{text}\\n", scope)
    exec(f"@micropython.native\\ndef made({arguments}):\\n{text}\\n", scope)
    for pair in pairs:
        if outcome(scope["plain"], *pair) != outcome(scope["made"], *pair):
            wrong += 1
            if wrong < 10:
                print(text, pair, outcome(scope["plain"], *pair), outcome(scope["made"], *pair))

small = [n for n in numbers if not (isinstance(n, int) and n > 200)]
for op in OPS:
    right = small if op == "<<" else numbers
    pairs = [(a, b) for a in numbers for b in right if not (op == "*" and isinstance(a, str) and b and b is not True)
        and not (op == "*" and isinstance(b, str) and a and a is not True)]
    same(f" return a {op} b", pairs)
    same(f" a {op}= b\\n return a" if op in "+ - * // % & | ^ << >>" else f" return not a {op} b", pairs)
    same(f" if a {op} b:\\n  return 1\\n return 2", pairs)
    same(f" n = 0\\n while n < 3 and not a {op} b:\\n  n += 1\\n return n", pairs)
    for n in (0, 1, -1, 7, 40, 61, 62, 2047, 2048, -2049, 4095, 4096, 65535, -65536, 2**61 - 1, -2**62, 2**62 - 1):
        if op != "<<" or n < 200:
            same(f" return a {op} {n}", [(a,) for a in numbers if op != "*" or not isinstance(a, str)], "a")
            same(f" if a {op} {n}:\\n  return 1\\n return 2", [(a,) for a in numbers if op != "*" or not isinstance(a, str)], "a")
        same(f" return {n} {op} a", [(a,) for a in small if op != "*" or not isinstance(a, str)], "a")
for text in ("return -a", "return ~a", "return not a", "return a if a else 0", "return a or 7", "return a and 7"):
    same(" " + text, [(a,) for a in numbers], "a")
print("wrong", wrong)
"""


def test_objects_operations_are_those_of_bytecode(target):
    assert target.exec(OPERATIONS, 120) == "wrong 0\n"


SHORT_WAYS = """
class List(list):
    def __getitem__(self, at):
        return ("mine", at)
class Thing:
    shared = [1]
    def __init__(self):
        self.own = 5
    def method(self):
        return self.own
    @staticmethod
    def plain():
        return "plain"
    @classmethod
    def of_class(cls):
        return cls()
    @property
    def made(self):
        return 7
class Other(Thing):
    def __getattr__(self, name):
        return name
TEXT = '''
def item(base, at):
    return base[at]
def put(base, at, value):
    base[at] = value
    return list(base)
def drop(base, at):
    del base[at]
    return list(base)
def attribute(thing, _):
    return thing.own, thing.shared, thing.method(), thing.made, thing.other
def hides(thing, _):
    before = thing.method()
    thing.method = lambda: "mine"
    return before, thing.method(), thing.plain(), thing.of_class().__class__
def stores(thing, value):
    thing.own = value
    thing.own = thing.own
    thing.made = value
    thing.new = value
    thing.new = 1
    return thing.own, thing.made, thing.new, thing.log
def each(base, _):
    return [item for item in base], [item for item in iter(base)]
def arithmetic(a, b):
    return a + b, a - b, a * b, a < b, a == b, a >= b, a != b
def quotient(a, b):
    return a / b, a // b, a % b
def power(a, b):
    return a ** b
def sums(a, b):
    a += 0
    return a + b, a - b, a * b, -a
def within(a, b):
    return a in b, a not in b
def alike(a, b):
    return a == b, a != b, not a, not a == b, str(a), str(a) is a
def called(f, a):
    return f(), "no"
def called1(f, a):
    return f(a)
def called2(f, a):
    return f(a, 2)
def called3(f, a):
    return f(a, "own", 3)
def named(f, a):
    return f(a, key=lambda x: -x)
def methods(a, b):
    found = [a.get("x"), a.get(b, 7), a.setdefault("y", 1), a.pop("y"), a.keys()]
    found.append(b.upper())
    return found, a.missing(1)
def sliced(base, a, b, c):
    return base[a:], base[:b], base[a:b], base[a:b:c], base[:]
def grows(thing, n):
    for i in range(n):
        setattr(thing, "a%d" % i, i)
        thing.own = i
    thing.last = n
    total = 0
    for i in range(n):
        total += getattr(thing, "a%d" % i) * i + getattr(thing, "b%d" % i, 1)
    if n:
        del thing.a0
    thing.a0 = 9
    return total, thing.own, thing.last, thing.a0, getattr(thing, "made", 8), getattr(thing, "__class__").__name__
def bound(thing, n):
    method = thing.method
    return [method() for _ in range(n)], thing.method.__self__ is thing if hasattr(thing.method, "__self__") else 0
def letters(text, times):
    counts = {}
    for _ in range(times):
        for letter in text:
            counts[letter] = counts.get(letter, 0) + 1
        for word in text.split(" "):
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items()), [ord(c) for c in text], [chr(ord(c)) for c in text if ord(c) < 300]
def inner(n, kind):
    for i in range(n):
        yield i
    if kind:
        raise kind(5)
    return 7
def generated(n, kind):
    found = []
    try:
        for i in inner(n, None):
            found.append(i)
        for i in inner(n, kind):
            found.append(i)
    except Exception as error:
        found.append(error)
    return found
'''
plain, made = {}, {}
exec(TEXT, plain)
exec("import micropython\\n" + TEXT.replace("def ", "@micropython.native\\ndef "), made)
def outcome(function, make, *args):
    try:
        return repr(function(make() if callable(make) else make, *args))
    except Exception as error:
        return repr(error)
def same(name, *args):
    one, two = outcome(plain[name], *args), outcome(made[name], *args)
    if one != two:
        print(name, args, one, two)
import array
bases = [lambda: [10, 11, 12], lambda: (10, 11, 12), lambda: bytearray(b"abc"), lambda: b"abc", lambda: "abc", lambda: List([1, 2, 3]),
    lambda: array.array("B", b"abc"), lambda: {0: 1, -3: 2}, lambda: memoryview(bytearray(b"abc")), lambda: 5, lambda: None, lambda: []]
for base in bases:
    for at in (0, 1, 2, 3, -1, -3, -4, 1 << 61, -1 << 61, 1 << 70, True, 1.0, "a", None, "c"):
        same("item", base, at)
        same("drop", base, at)
        for value in (0, 255, 256, -1, 1 << 70, "x", None, b"z"):
            same("put", base, at, value)
class Setter(Thing):
    def __init__(self):
        self.own, self.log = 5, []
    @property
    def made(self):
        return self.log[-1:]
    @made.setter
    def made(self, value):
        self.log.append(value)
class Told(Thing):
    log = made = ()
    def __setattr__(self, name, value):
        object.__setattr__(self, name, (name, value))
for base in bases + [lambda: Thing(), lambda: {1: 2}.items(), lambda: reversed([1, 2]), lambda: enumerate("ab"), lambda: range(3)]:
    same("each", base, 0)
for thing in (Thing, Setter, Told, Other, lambda: 5, lambda: Thing):
    same("hides", thing, 0)
    same("stores", thing, 6)
    same("stores", thing, None)
for thing in (Thing, Other, lambda: 5, lambda: None, lambda: Thing):
    same("attribute", thing, 0)
numbers = [0.0, -0.0, 1.5, -2.0, 1e308, float("inf"), float("nan"), 3, -1, True, 1 << 70, 1j, "a", None]
for a in numbers:
    for b in numbers:
        for name in ("arithmetic", "quotient", "power"):
            if not (name == "power" and isinstance(a, int) and isinstance(b, int)):
                same(name, a, b)
numbers += [1 + 2j, complex(-0.0, 0.0), complex(float("inf"), 1), complex(float("nan"), -1), 1e200 - 1e200j, 0.1 + 0.3j, 0.7 - 1e-9j]
for a in numbers:
    for b in numbers:
        same("sums", a, b)
texts = ["a", "long enough to be interned by nobody", "".join(["a", " word", "!"]), "a word!", 1, 0, None, True, False, 2, "", b"a", str]
wholes = [[1, 2, 3], (3, 2), [1.0, 2], [None, 2], [Thing, "a"], [], (), {1: 2}, {"a": 1}, "a word!", b"abc", range(4), [True, 2], [[2], 2], 5, None]
for a in texts:
    for b in texts:
        same("alike", a, b)
    for b in wholes:
        same("within", a, b)
for f in (len, abs, min, max, sorted, print, isinstance, getattr, divmod, lambda *a: a, lambda a, b=3: (a, b), int, Thing, list.append, "a".join,
        [].append, {}.get, None, 5, plain["item"], made["item"], [1, 2].index, setattr, dict.get, List, pow, sum, hash, iter, Thing().method):
    for a in (5, "own", [3, 1], (1, 2), None, {"own": 1}, Thing):
        for name in "called", "called1", "called2", "called3", "named":
            if f is not print and not isinstance(f, int):
                one, two = outcome(plain[name], f, a), outcome(made[name], f, a)
                if one != two and "object at" not in one:
                    print(name, f, a, one, two)
for a in ({}, {"x": 1, "a word!": 2}, [1], "x", 5, Thing):
    for b in ("x", "a word!", "".join(["a", " word!"]), 3, [1]):
        same("methods", lambda: a.copy() if isinstance(a, dict) else a, b)
for text in ("the zen of python is the zen", "\u00e9t\u00e9 \u4e2d\u6587", "", " ", "a" * 300 + " b", "".join(chr(i) for i in range(200))):
    same("letters", text, 3)
for base in bases:
    for a in (0, 1, -1, None, 5, -9, True, 1 << 70, "a"):
        for b in (0, 2, -1, None, -9, 7, 1.5):
            for c in (1, 2, -1, -2, None, 0, 5):
                same("sliced", base, a, b, c)
class Slots(Thing):
    __slots__ = ("own", "last")
class Two(Other, Slots):
    pass
for thing in (Thing, Setter, Told, Other, Slots, Two, lambda: 5, lambda: Thing):
    for n in (0, 1, 2, 3, 4, 5, 8, 13, 40):
        same("grows", thing, n)
        same("bound", thing, n)
for kind in (None, ValueError, StopIteration, KeyError):
    same("generated", 3, kind)
    same("generated", 0, kind)
# Without memory a new attribute is none, and the instance as it was.
class Bare:
    pass
import micropython
for n in range(9):
    bare = Bare()
    for i in range(n):
        setattr(bare, "a%d" % i, i)
    micropython.heap_lock()
    try:
        bare.new = 1
    except MemoryError:
        pass
    micropython.heap_unlock()
    gone = getattr(bare, "new", None)
    bare.new = 2
    assert gone in (None, 1) and bare.new == 2 and [getattr(bare, "a%d" % i) for i in range(n)] == list(range(n))
# A text is found whether it was interned before the map had it, after, or not at all.
for n in range(40):
    one, two = "text%d of many words" % n, "".join(["text%d" % n, " of many", " words"])
    found = {one: 1, n: 2, "other text %d" % n: 3, None: 4, 1.5 * n + 0.25: 5}
    setattr(Thing, two, 1) # interns it
    three = getattr(Thing, "__name__") and "".join(["text%d of", " many words"]) % n
    assert found[two] == found[three] == 1 and {three: 1}[one] == 1 and found[n] == 2 and "other" not in found
    del found[two]
    assert three not in found and found["other text %d" % n] == 3
# A built-in name that the globals have not, have, and have not.
for scope in (plain, made):
    exec("def f():\\n return len([1, 2])\\n" if scope is plain else "@micropython.native\\ndef f():\\n return len([1, 2])\\n", scope)
    said = []
    for _ in range(2):
        said.append(scope["f"]())
        scope["len"] = lambda x: "own"
        said.append(scope["f"]())
        del scope["len"]
        said.append(scope["f"]())
    import builtins
    builtins.len = lambda x: "all's"
    said.append(scope["f"]())
    del builtins.len
    said.append(scope["f"]())
    scope["len"] = lambda x: "again"
    said.append(scope["f"]())
    said.append(eval("len((1,))", {"len": str}.copy()))
    if said != [2, "own", 2, 2, "own", 2, "all's", 2, "again", "(1,)"]:
        print(said)
print("compared")
"""


def test_items_attributes_and_floats_are_those_of_bytecode(target):
    """What compiled code has short ways for (ports/aarch64/native/glue.c), and what is nearly that."""
    assert target.exec(SHORT_WAYS, 60) == "compared\n"


# Chains of generators, each in a `yield from` of the next: played with all that may be done to the first one.
GENERATORS = """
TEXT = '''
def leaf(n, log, end):
    log.append("begins")
    try:
        for i in range(n):
            got = yield i
            if got is not None:
                log.append(got)
            if got == "raise":
                raise ValueError(i)
            if got == "again":
                try:
                    log.append(next(top[0]))
                except ValueError as error:
                    log.append(str(error))
        if end:
            raise end(n)
    except KeyError as error:
        log.append(("leaf", error))
        yield "caught"
    finally:
        log.append("leaf ends")
    return n * 10
def link(inner, log):
    got = yield from inner
    log.append(("link", got))
    return got + 1
def guard(inner, log):
    try:
        got = yield from inner
    except (ValueError, RuntimeError) as error:
        log.append(("guard", error))
        got = 0
        yield "guarded"
    finally:
        log.append("guard ends")
        yield "at last"
    return got + 2
def twice(inner, log):
    for _ in range(2):
        got = yield from inner
        log.append(("twice", got))
    yield from (1, 2)
    yield from [got]
    return 5
def asks(log):
    yield 1
    try:
        next(log[0])
    except ValueError as error:
        log.append(str(error))
    yield 2
def told(inner, log, n):
    try:
        return (yield from inner)
    except ValueError as error:
        log.append(n)
        raise error
def first(inner, log):
    yield "first"
    return (yield from inner) + 3
'''
plain, made = {}, {}
exec(TEXT, plain)
exec("import micropython\\n" + TEXT.replace("\\ndef ", "\\n@micropython.native\\ndef "), made)
top = [None]
plain["top"] = made["top"] = top
def chain(scopes, names, n, end, log):
    inner = scopes[0]["leaf"](n, log, end)
    for i, name in enumerate(names):
        inner = scopes[(i + 1) % len(scopes)][name](inner, log)
    top[0] = inner
    return inner
def played(scopes, names, n, end, acts):
    log = []
    g = chain(scopes, names, n, end, log)
    for act in acts:
        try:
            if act == "next":
                log.append(next(g))
            elif act == "close":
                log.append(g.close())
            elif act == "pend":
                g.pend_throw(ValueError("pending"))
            elif act == "list":
                log.append(list(g))
            elif isinstance(act, str):
                log.append(g.send(act))
            else:
                log.append(g.throw(act))
        except BaseException as error:
            log.append(("out", repr(error)))
    return repr(log)
import random
random.seed(7)
wrong = 0
for _ in range(500):
    names = [random.choice(("link", "link", "guard", "twice", "first")) for _ in range(random.randrange(7))]
    n, end = random.randrange(5), random.choice((None, None, ValueError, KeyError, StopIteration))
    acts = [random.choice(("next", "next", "next", "again", "raise", "close", "pend", "sent", "list", KeyError("k"), ValueError("v"), GeneratorExit())) for _ in range(9)]
    said = [played(scopes, names, n, end, acts) for scopes in ((plain,), (made,), (made, plain), (made, made, plain))]
    if len(set(said)) != 1:
        wrong += 1
        if wrong < 4:
            print(names, n, end, acts)
            for one in said:
                print("   ", one)
# One whose middle is asked from elsewhere, and goes on in the whole.
@micropython.native
def counts(n):
    for i in range(n):
        yield i
@micropython.native
def through(inner):
    yield from inner
inner = counts(9)
middle = through(inner)
outer = through(through(middle))
print(next(outer), next(middle), next(inner), next(outer), list(outer), list(middle))
# The last one runs already, and asks one that waits for it: that is an exception in there, which ends it.
for scope in (plain, made):
    log = [None]
    inner = scope["asks"](log)
    log[0] = scope["told"](scope["told"](inner, log, 1), log, 2)
    print(next(log[0]), next(inner), list(log[0]), list(inner), log[1:])
# Deeper than calls may be: each is wrapped in another one when it waits already.
g = counts(3000)
depth = 0
try:
    for depth in range(2500):
        g = through(g)
        next(g)
    print(next(g) > 2000)
    for x in g:
        pass
    print("all")
except RuntimeError as error:
    print(depth > 20, error)
print(list(through(through(counts(3)))))
# Collections while an end is handed over, and a loop that does not end, by Ctrl-C in the last one.
import gc
@micropython.native
def makes(n):
    for i in range(n):
        gc.collect()
        yield [i]
    return [n]
@micropython.native
def keeps(inner):
    got = yield from inner
    gc.collect()
    x = [bytearray(100) for _ in range(100)]
    return got + [1]
@micropython.native
def whole():
    print((yield from keeps(keeps(keeps(makes(2))))))
print(list(whole()))
print("wrong", wrong)
"""


def test_chains_of_generators(target):
    """native/generators.c: as bytecode has them, compiled, and mixed."""
    said = target.exec(GENERATORS, 60)
    assert said == (
        "0 1 2 3 [4, 5, 6, 7, 8] []\n"
        "1 2 [] [] [1, 2, 'generator already executing']\n1 2 [] [] [1, 2, 'generator already executing']\n"
        "True\nTrue maximum recursion depth exceeded\n[0, 1, 2]\n"
        "[2, 1, 1, 1]\n[[0], [1]]\nwrong 0\n"
    )


FINALLY = """
class Manager:
    def __init__(self, log, swallows=False):
        self.log, self.swallows = log, swallows
    def __enter__(self):
        return self
    def __exit__(self, kind, value, trace):
        self.log.append(kind)
        return self.swallows
    async def __aenter__(self):
        await Wait()
        return self
    async def __aexit__(self, kind, value, trace):
        await Wait()
        self.log.append(kind)
        return self.swallows

class Wait:
    def __iter__(self):
        yield 0
    __await__ = __iter__

def inner(log):
    try:
        [][1]
    except IndexError:
        return KeyError

TEXT = '''
def stale(log):
    for i in range(3):
        try:
            if i == 0:
                continue
        finally:
            log.append(("f", i))
        log.append(("after", i))
    return 5
def lost(log):
    try:
        try:
            1 // 0
        finally:
            try:
                log.append(1)
            finally:
                log.append(2)
    except ZeroDivisionError:
        log.append(3)
def lost2(log):
    try:
        try:
            1 // 0
        finally:
            try:
                [][1]
            except IndexError:
                log.append(2)
    except ZeroDivisionError:
        log.append(3)
def nested(log):
    for i in range(3):
        try:
            return 1
        finally:
            for j in range(2):
                try:
                    break
                finally:
                    log.append(j)
            log.append("x")
            if len(log) > 20: raise ValueError
def over(log):
    try:
        return 1
    finally:
        while True:
            try:
                return 2
            finally:
                break
def gen(log):
    try:
        return (yield 1)
    finally:
        log.append([1, (2, 3, [4, 5])])
        a, b, c = log, log, (log, log)
def gyield(log):
    try:
        try:
            yield 1
            1 // 0
        finally:
            yield 2
    except ZeroDivisionError:
        log.append("z")
        yield 3
def gret(log):
    try:
        return 7
    finally:
        yield 2
        yield 3
def gexc(log):
    try:
        1//0
    except ZeroDivisionError as e:
        yield 2
        log.append(repr(e))
    yield 5
def retexc(log):
    for i in range(3):
        try:
            raise KeyError(i)
        except KeyError as e:
            if i == 1:
                return i
            log.append(repr(e))
def withret(log):
    for i in range(3):
        with Manager(log):
            if i == 1:
                continue
            log.append(i)
            if i == 2:
                return 9
        log.append("after")
def reraise(log):
    try:
        try:
            1//0
        except IndexError:
            pass
        finally:
            with Manager(log):
                log.append(1)
    except ZeroDivisionError:
        log.append("caught")
def reraise2(log):
    try:
        try:
            1//0
        except ZeroDivisionError as e:
            try:
                [][1]
            except IndexError:
                pass
            raise e
    except ZeroDivisionError:
        log.append("caught")
def exc_in_handler(log):
    try:
        1//0
    except IndexError:
        log.append("no")
    except (inner(log), ZeroDivisionError):
        log.append("yes")
def nomatch(log):
    try:
        try:
            1//0
        except KeyError:
            log.append("no")
    except ZeroDivisionError:
        log.append("yes")
def two_ways(log):
    for i in range(4):
        try:
            for j in range(3):
                try:
                    if j == 1:
                        continue
                    if i == 2:
                        return i, j
                    if i == 1:
                        break
                    log.append((i, j))
                finally:
                    log.append("in")
        finally:
            log.append("out")
def out_of_a_handlers_reach(log):
    try:
        for i in range(2):
            try:
                try:
                    break
                finally:
                    log.append(1)
            except ZeroDivisionError:
                log.append("not here")
        1 // 0
    except ZeroDivisionError:
        log.append("here")
def in_a_handler(log):
    try:
        try:
            1 // 0
        except ZeroDivisionError:
            for i in range(2):
                try:
                    break
                except KeyError:
                    pass
            log.append("once")
            1 // 0
    except ZeroDivisionError:
        log.append("outer")
def through_two(log):
    try:
        try:
            return 42
        finally:
            try:
                log.append(1)
            finally:
                log.append(2)
            try:
                [][1]
            except IndexError:
                log.append(3)
    finally:
        log.append(4)
def closes(log):
    try:
        yield 1
        yield 2
    finally:
        try:
            log.append("a")
        finally:
            log.append("b")
def with_in_finally(log):
    for i in range(3):
        try:
            if i == 1:
                continue
            if i == 2:
                return i
        finally:
            with Manager(log, True):
                [][i]
def swallowed(log):
    for i in range(3):
        with Manager(log, True):
            if i == 0:
                continue
            1 // 0
        log.append(i)
async def waits(log):
    async with Manager(log, True):
        1 // 0
    log.append("on")
    for i in range(2):
        async with Manager(log, False):
            if i == 0:
                continue
            log.append(i)
        log.append("end")
    async with Manager(log, False):
        return 8
async def waits_and_raises(log):
    async with Manager(log, False):
        1 // 0
'''

names = [line.split("def ")[1].split("(")[0] for line in TEXT.split("\\n") if line.startswith(("def ", "async def "))]
plain, made = dict(globals()), dict(globals())
exec(TEXT, plain)
exec("import micropython\\n" + TEXT.replace("async def ", "@micropython.native\\nasync def_").replace("\\ndef ", "\\n@micropython.native\\ndef ").replace("def_", "def "), made)

def outcome(function):
    log = []
    try:
        got = function(log)
        if hasattr(got, "send"):
            steps, generator = [], got
            try:
                for value in (None, 8, 9, 10, 11, 12, 13, 14, 15, 16):
                    steps.append(generator.send(value))
            except StopIteration as end:
                steps.append(repr(end))
            got = steps
    except Exception as error:
        got = repr(error)
    return got, log

def early(function):
    log = []
    generator = function(log)
    next(generator)
    generator.close()
    return log

for name in names:
    if outcome(plain[name]) != outcome(made[name]):
        print(name, outcome(plain[name]), outcome(made[name]))
print(early(made["closes"]), len(names))
"""


def test_finally_with_and_what_leaves_them(target):
    """Upstream's emitter loses the exception, or the way, when there is another try statement in a finally block, a next
    round of the loop, or a yield.
    """
    assert target.exec(FINALLY, 30) == "['a', 'b'] 24\n"


def test_functions_made_from_seeds(target):
    """As bytecode and compiled; more of them are for `make fuzz KIND=compiled`, and in `make test-long`."""
    target.exec(compiled.PRELUDE)
    for seed in range(6):
        assert target.exec(compiled.script(random.Random(f"compiled {seed}")), 60) == "same\n", (
            seed
        )


WORDS = """
import random
random.seed(2)
MASK = (1 << 64) - 1
numbers = [0, 1, 2, 63, 64, 4095, 4096, 2**31, 2**32, 2**62 - 1, 2**62, 2**63 - 1, 2**63, MASK, MASK - 1]
numbers += [random.getrandbits(32) << 32 | random.getrandbits(32) for _ in range(8)]

def signed(n):
    n &= MASK
    return n - (1 << 64) if n >> 63 else n

wrong = 0
def same(kind, op, imm=None):
    global wrong
    compare = op in "< <= > >= == !="
    scope = {}
    exec(f"@micropython.viper\\ndef made(a: {kind}, b: {kind}) -> {'bool' if compare else kind}:\\n"
        f" return a {op} {'b' if imm is None else imm}\\n", scope)
    if compare:
        exec(f"@micropython.viper\\ndef jump(a: {kind}, b: {kind}) -> int:\\n n = 0\\n"
            f" if a {op} {'b' if imm is None else imm}:\\n  n = 1\\n return n\\n", scope)
    exec(f"def plain(a, b):\\n return a {op} b\\n", scope)
    fit = signed if kind == "int" else lambda n: n & MASK
    for a in numbers:
        for b in numbers if imm is None else [imm]:
            a, b = fit(a), fit(b)
            if op in ("<<", ">>") and not 0 <= b < 64:
                continue
            want = scope["plain"](a, b)
            want = want if compare else fit(want)
            got = scope["made"](a, b)
            if got != want or (compare and scope["jump"](a, b) != int(want)):
                wrong += 1
                if wrong < 10:
                    print(kind, op, a, b, imm, got, want)

for kind in ("int", "uint"):
    for op in "+ - * & | ^ << >> < <= > >= == !=".split():
        same(kind, op)
        if kind == "int" or op not in "< <= > >= == !=":
            for imm in (0, 1, 5, 63, 255, 0xFF00, 4095, 4096, 0xFFFF_FFFF, 0x0F0F_0F0F_0F0F_0F0F, -1, -4096):
                same(kind, op, imm)
print("wrong", wrong)
"""


def test_viper_words_have_64_bits(target):
    assert target.exec(WORDS, 120) == "wrong 0\n"


def test_viper_arguments_pointers_and_unary(target):
    script = """
import hv
@micropython.viper
def many(a: int, b: uint, c, d: int, e: bool, f: int, g: int, h: int, i: int, j: uint) -> uint:
    return uint(a) + b + uint(d) * uint(e) + uint(f) + uint(g) + uint(h) + uint(i) + j
print(many(1, 2, None, 4, 5, 6, 7, 8, 9, 10), hex(many(0, 2**64 - 5, "", 0, 0, 0, 0, 0, 0, 2)))

@micropython.viper
def negated(x: int) -> int:
    y = -x
    z = ~x
    return x * 100 + y * 10 + z
print(negated(7))

@micropython.viper
def swap(p, n: int):
    a, b, c = ptr8(p), ptr16(p), ptr32(p)
    a[0], a[n] = a[n], a[0]
    b[1], b[n] = b[n], b[1]
    c[1], c[n] = c[n], c[1]
buf = bytearray(range(32))
swap(buf, 5)
print(list(buf))

@micropython.viper
def loops(n: int) -> int:
    total = 0
    for i in range(n):
        j = i
        while j:
            if j & 1:
                total += j
            j >>= 1
    return total
def plain(n):
    total = 0
    for i in range(n):
        j = i
        while j:
            if j & 1:
                total += j
            j >>= 1
    return total
print(loops(1000) == plain(1000))
"""
    lines = target.exec(script).splitlines()
    assert lines[0] == "47 0xfffffffffffffffd"
    assert lines[1] == str(700 - 70 - 8)
    buf = bytearray(range(32))
    buf[0], buf[5] = buf[5], buf[0]
    buf[2:4], buf[10:12] = buf[10:12], buf[2:4]
    buf[4:8], buf[20:24] = buf[20:24], buf[4:8]
    assert lines[2] == str(list(buf))
    assert lines[3] == "True"


# Viper functions without calls, which have their variables and their stack in registers, against the same as bytecode.
# The numbers stay below 2**62.
LEAVES = """
SHAPES = (
    ("a", "t = 0\\nfor i in range(a):\\n for j in range(i):\\n  t += i ^ j\\nreturn t"),
    ("a", "t = 0\\nfor i in range(a):\\n for j in range(5):\\n  for k in range(j):\\n   t += i + j * k\\nreturn t"),
    ("a", "t = 0\\nfor i in range(a, 3, -2):\\n t = t * 3 + i & 0xFFFF\\nreturn t"),
    ("a, b", "t = 0\\nfor i in range(b, a):\\n if i == 7:\\n  continue\\n if i == 30:\\n  break\\n t += i\\nelse:\\n t -= 1\\nreturn t"),
    ("a, b", "while a and b:\\n if a > b:\\n  a -= b\\n else:\\n  b -= a\\nreturn a + b"),
    ("a, b", "return (a if a > b else b) * 3 + (b if a > 5 else 9)"),
    ("a, b", "return (a and b) + (a or b) - (1 if not a else 2)"),
    ("a, b", "a, b = b, a\\nreturn a * 10 - b"),
    ("a, b", "c = a\\na = b\\nb = c\\nd = a\\na, b, c = c, a, b\\nreturn a + 10 * b + 100 * c + 1000 * d"),
    ("a, b, c", "return -a + ~b - (a - b) * (b - c) * (c - a) + (a << 3) + (b >> 1)"),
    ("a, b, c, d", "e = a + b\\nf = c * d\\ng = e - f\\nh = g ^ a\\nfor i in range(e):\\n h += f\\n f = g - h & 0xFF\\nreturn h + e * f - g"),
    ("a, b, c, d, e", "f = a + b + c + d + e\\nfor i in range(f):\\n f += i & e\\nreturn f"),
    ("a, b, c, d, e, f, g", "h = a\\nwhile h > 0:\\n h -= 1\\n g += b + c * d - e + f\\nreturn g + h"),
    ("a, b, c, d, e, f, g, h, i", "j = a\\nfor k in range(b):\\n j += c * d + e - f + g * h - i\\nreturn j"),
    ("a, b", "t = 0\\ni = a\\nwhile i > 0 and t < 1000 or i == 3:\\n t += i if i & 1 else b\\n i -= 1\\nreturn t"),
    ("a, b", "return int(a < b) * 4 + int(a == b) * 2 + int(a >= b)"),
    ("a", "t = u = v = w = a\\nfor i in range(3):\\n t += u; u += v; v += w; w += t\\nreturn t + u + v + w"),
    ("a", "t = 0\\nfor i in range(600):\\n t += a ^ i\\nreturn t"),
    ("a", "return a + (1 << 40) + 0x1234_5678_9ABC"),
)
wrong = 0
for names, text in SHAPES:
    count = names.count(",") + 1
    typed = ", ".join(name + ": int" for name in names.split(", "))
    scope = {}
    body = "\\n".join(" " + line for line in text.split("\\n"))
    exec(f"def plain({names}):\\n{body}\\n@micropython.viper\\ndef made({typed}) -> int:\\n{body}\\n", scope)
    for first in (0, 1, 2, 3, 7, 12, 40):
        for step in (0, 1, 5):
            args = [(first + step * i * i) % 41 for i in range(count)]
            if scope["plain"](*args) != scope["made"](*args):
                wrong += 1
                print(text, args, scope["plain"](*args), scope["made"](*args))
print("wrong", wrong)
"""


def test_viper_functions_without_calls(target):
    assert target.exec(LEAVES, 60) == "wrong 0\n"


def test_nothing_is_writable_and_executable(target):
    """Code is written in the heap and run from a second mapping of it."""
    script = """
import hv
@micropython.viper
def f() -> int:
    return 7
f()
hv.mmu.dump()
"""
    lines = [line.split() for line in target.exec(script).splitlines()]
    rights = [line[5] for line in lines if len(line) > 5]
    assert "rwx" not in rights
    assert rights.count("r-x") >= 2  # the image's, and that of the heap
    # A word there cannot be written.
    with pytest.raises(TargetError, match="permission fault"):
        target.exec("import hv; hv.write(0x7f_0000_0000, 0)")


def test_thousands_of_functions_are_collected_and_survive_soft_resets(target):
    script = """
import gc
def make(n):
    scope = {}
    exec("@micropython.viper\\ndef v(a: int) -> int:\\n return a + %d\\n"
        "@micropython.native\\ndef n(a):\\n for i in range(3):\\n  a += i\\n return a + %d\\n" % (n, n), scope)
    return scope["v"], scope["n"]
make(0)
gc.collect()
before = gc.mem_free()
for n in range(2500):
    v, f = make(n)
    if v(1) != 1 + n or f(1) != 4 + n:
        print("wrong", n)
    if n % 100 == 0:
        gc.collect()
def check():
    kept = [make(n) for n in range(1000)]
    gc.collect()
    for n, (v, f) in enumerate(kept):
        if v(2) != 2 + n or f(2) != 5 + n:
            print("wrong", n)
check()
v = f = None
gc.collect()
print(before - gc.mem_free() < 0x10000)
"""
    for _ in range(2):
        assert target.exec(script, 120) == "True\n"
        target.soft_reset()


def test_a_fault_is_an_exception_with_the_functions_name(target):
    script = """
import hv
@micropython.viper
def poke(p: int, n: int) -> int:
    q = ptr32(p)
    q[0] = n
    return q[1]
@micropython.native
def caught(f, at):
    try:
        return f(at, 1)
    except OSError as error:
        return str(error)
    finally:
        print("finally")
print(caught(poke, 0x10))
try:
    poke(0x7f_0000_0000, 1)
except hv.Fault as error:
    print(error)
@micropython.viper
def peek(p: ptr16, i: int) -> int:
    return p[i]
try:
    peek(0, 3)
except hv.Fault as error:
    print(error)
"""
    assert target.exec(script).splitlines() == [
        "finally",
        "cannot write 4 bytes at 0x10: translation fault, level 2, in compiled function 'poke'",
        "cannot write 4 bytes at 0x7f00000000: permission fault, level 2, in compiled function 'poke'",
        "cannot read 2 bytes at 0x6: translation fault, level 2, in compiled function 'peek'",
    ]


ENDLESS = """
@micropython.native
def endless():
    while True:
        yield 1
@micropython.native
def chain(n):
    if n:
        yield from chain(n - 1)
    else:
        yield from endless()
"""


@pytest.mark.parametrize(
    "loop",
    [
        "@micropython.native\ndef f():\n while True:\n  pass",
        "@micropython.native\ndef f():\n n = 0\n while n < 1:\n  n = 0",
        "@micropython.native\ndef f():\n while 1:\n  try:\n   continue\n  finally:\n   pass",
        "@micropython.viper\ndef f():\n while True:\n  pass",
        "@micropython.viper\ndef f():\n n = 0\n while int(n) < 1:\n  n -= 1\n  n += 1",
        "@micropython.viper\ndef f():\n a = 1\n for i in range(1 << 60):\n  a += i",
        "@micropython.native\ndef f():\n for i in range(1 << 60):\n  pass",
        "@micropython.native\ndef f():\n try:\n  pass\n finally:\n  while True:\n   pass",
        f"{ENDLESS}@micropython.native\ndef f():\n for x in chain(8):\n  pass",
        f"{ENDLESS}def f():\n sum(chain(8))",
    ],
)
def test_ctrl_c_ends_a_loop(target, loop):
    target.exec(loop)
    target.send("print('be' + 'gun'); f()\r")
    target.until("begun")
    target.send(CTRL_C)
    assert "KeyboardInterrupt" in target.wait_prompt()


def test_timers_run_while_a_loop_does(target):
    script = """
import machine
flag = bytearray(4)
def tick(t):
    flag[1] += 1
    if flag[1] == 3:
        flag[0] = 1
@micropython.viper
def wait(p: ptr8):
    while p[0] == 0:
        pass
timer = machine.Timer(-1, period=1, callback=tick)
wait(flag)
timer.deinit()
print(flag[1] >= 3)
"""
    assert target.exec(script) == "True\n"


def test_mpy_files_carry_native_code(target, tmp_path):
    (tmp_path / "made.py").write_text(
        "import micropython\n"
        "@micropython.viper\ndef triple(n: int) -> int:\n return 3 * n\n"
        "@micropython.native\ndef each(n):\n for i in range(n):\n  yield 'item', i, triple(i)\n"
        "@micropython.native\ndef outer(a):\n def inner(b):\n  return a + b\n return inner\n"
    )
    cross = ROOT / "build/mpy-cross/mpy-cross"
    subprocess.run([cross, "-march=aarch64", tmp_path / "made.py"], check=True)
    code = (tmp_path / "made.mpy").read_bytes()
    script = f"""
import sys
with open("made.mpy", "wb") as file:
    file.write({code!r})
import made
print(made.triple(14), list(made.each(3)), made.outer(3)(4))
print(sys.implementation._mpy >> 10)
"""
    expected = ["42 [('item', 0, 0), ('item', 1, 3), ('item', 2, 6)] 7", "14"]
    assert target.exec(script).splitlines() == expected
    for other in ("x64", "armv7m", "rv32imc"):
        subprocess.run([cross, f"-march={other}", tmp_path / "made.py"], check=True)
        other = (tmp_path / "made.mpy").read_bytes()
        with pytest.raises(TargetError, match="incompatible .mpy arch"):
            target.exec(
                f"with open('other.mpy', 'wb') as file:\n file.write({other!r})\nimport other"
            )


def test_exceptions_closures_and_generators(target):
    script = """
@micropython.native
def nested(n):
    log = []
    for i in range(n):
        try:
            try:
                if i == 1:
                    raise ValueError(i)
                if i == 2:
                    continue
                if i == 4:
                    break
                log.append(i)
            except ValueError as error:
                log.append(error)
            finally:
                log.append("f")
        finally:
            log.append("g")
    else:
        log.append("else")
    return log
print(nested(6))
@micropython.native
def counter(start):
    total = start
    def add(n, *rest, scale=1, **more):
        nonlocal total
        total += n * scale + len(rest) + len(more)
        return total
    return add
add = counter(10)
print(add(1), add(2, 3, 4, scale=5, x=1), add(n=7))
@micropython.native
def talk():
    got = []
    try:
        while True:
            got.append((yield len(got)))
    except ValueError as error:
        yield ("raised", error, got)
    finally:
        got.append("closed")
g = talk()
print(next(g), g.send("a"), g.send("b"), g.throw(ValueError("v")), g.close())
"""
    assert target.exec(script).splitlines() == [
        "[0, 'f', 'g', ValueError(1,), 'f', 'g', 'f', 'g', 3, 'f', 'g', 'f', 'g']",
        "11 24 31",
        "0 1 2 ('raised', ValueError('v',), ['a', 'b', 'closed']) None",
    ]


def test_raise(target):
    """Without an exception it is refused where it is compiled; what one is raised from is ignored."""
    script = """
for kind in "native", "viper":
    for text in "raise", "raise KeyError('a') from ValueError('b')":
        scope = {}
        try:
            exec(f"@micropython.{kind}\\ndef f(n):\\n try:\\n  unknown\\n except NameError:\\n  {text}\\n", scope)
            scope["f"](5)
        except Exception as error:
            print(repr(error))
"""
    refused = "NotImplementedError('compiled code cannot raise without naming the exception',)"
    assert target.exec(script).splitlines() == [refused, "KeyError('a',)"] * 2


# ---- As handlers --------------------------------------------------------------------------------

CALL = """
    load x0, 0xc6000001
    hvc #0
    hvc #0x100
"""

HANDLERS = """
MASK = (1 << 64) - 1
NUMBERS = (0, 1, 2, 63, (1 << 62) - 1, 1 << 62, 1 << 63, MASK)
vm = guest(code)
cpu = vm.cpu[0]

def asked(handler, x1, x2=5, x3=7):
    vm.hvc(0xc600_0001, handler)
    cpu.pc = 0x4008_0000
    cpu.x[1], cpu.x[2], cpu.x[3] = x1, x2, x3
    vm.run()
    return cpu.x[0]

@micropython.viper
def words(cpu, x1: uint, x2: uint, x3: int) -> uint:
    return (x1 ^ x2) + uint(x3)

@micropython.viper
def bits(cpu, x1: uint) -> int:
    n = 0
    while x1:
        n += int(x1 & uint(1))
        x1 >>= 1
    return n

@micropython.viper
def below(cpu, x1: uint, x2: uint) -> bool:
    return x1 < x2

@micropython.viper
def nothing(cpu, x1: int):
    pass

@micropython.viper
def same(cpu, x1):
    return x1

@micropython.viper
def through(cpu, x1: uint, x2: uint):
    return hv.SKIP

class Device:
    @micropython.viper
    def method(self, cpu, x1: uint) -> uint:
        return x1 + 1

def closed(n):
    @micropython.native
    def inner(cpu, x1, x2):
        return x1 + x2 + n
    return inner

@micropython.native
def objects(cpu, x1, x2):
    return x1 - x2 if x1 > x2 else (x1, x2)

wrong = 0
for n in NUMBERS:
    for name, got, want in (
        ("words", asked(words, n), (n ^ 5) + 7 & MASK),
        ("bits", asked(bits, n), bin(n).count("1")),
        ("below", asked(below, n), n < 5),
        ("nothing", asked(nothing, n), 0xc600_0001),
        ("same", asked(same, n), n),
        ("through", asked(through, n), 0xc600_0001),
        ("method", asked(Device().method, n), n + 1 & MASK),
        ("closed", asked(closed(100), n), n + 105 & MASK),
        ("objects", asked(objects, n), n - 5 if n > 5 else n),
    ):
        if got != want:
            wrong += 1
            print(name, hex(n), hex(got), hex(want))
print("wrong", wrong)
"""


def test_handlers_take_words_or_objects(each_target):
    assert run(each_target, CALL, HANDLERS).splitlines() == ["wrong 0"]


# All of the guest's registers, but x0, which is the answer, through handlers of each kind.
KEPT = (
    "\n".join(f"    mov x{n}, #{1000 + n}" for n in range(1, 31))
    + """
    load x0, 0xc6000001
    hvc #0
    hvc #0x100
"""
)

KEEPING = """
@micropython.viper
def number(cpu, x1: uint, x2: uint, x3: uint, x4: uint, x5: uint, x6: uint) -> uint:
    return x1 + x6
@micropython.viper
def loops(cpu, x1: uint, x2: uint) -> uint:
    for i in range(1000):
        x1 += x2
    return x1
@micropython.native
def objects(cpu, x1, x2, x3, x4, x5):
    a = x1 + x2
    b = x3 + x4
    c = a - b
    return c + x5
@micropython.native
def rounds(cpu, x1, x2):
    for i in range(1000):
        x1 += x2
    return x1
@micropython.native
def calls(cpu, x1):
    return max(x1, 7)
@micropython.native
def nothing(cpu, x1):
    x1 += 1
@micropython.native
def three(cpu, x1, x2):
    return x1, x2, 5
@micropython.native
def large(cpu, x1, x2):
    return x1 << 60
@micropython.native
def constant(cpu):
    return 0x1234_5678_9abc_def0_1234
class Device:
    total = 0
    @micropython.native
    def add(self, cpu, x1):
        return x1 + 1
    @micropython.native
    def count(self, cpu, x1):
        self.total += x1
        return self.total
def cell():
    n = 0
    @micropython.native
    def count(cpu, x1):
        nonlocal n
        n += x1
        return max(n, 0)
    return count

device = Device()
vm = guest(code)
cpu = vm.cpu[0]
for name, handler, want in (
    ("number", number, (1001 + 1006,)),
    ("loops", loops, (1001 + 1002 * 1000,)),
    ("objects", objects, (1001 + 1002 - 1003 - 1004 + 1005,)),
    ("rounds", rounds, (1001 + 1002 * 1000,)),
    ("calls", calls, (1001,)),
    ("nothing", nothing, (0xc600_0001,)),
    ("three", three, (1001, 1002, 5)),
    ("large", large, (1001 << 60 & (1 << 64) - 1,)),
    ("constant", constant, (0x5678_9abc_def0_1234,)),
    ("add", device.add, (1002,)),
    ("count", device.count, (1001,)),
    ("count again", device.count, (2002,)),
    ("cell", cell(), (1001,)),
):
    vm.hvc(0xc600_0001, handler)
    for smc in (False, True):
        if smc and name in ("count", "count again", "cell"):
            continue
        vm.smc(0xc600_0001, handler)
        at = 0x4008_0000 + len(code) - 12
        for n in range(1, 31):
            cpu.x[n] = 0
        vm.memory[instruction : instruction + 4] = bytes((3 if smc else 2, 0, 0, 0xd4))
        vm.memory.clean(instruction, 4)
        cpu.pc = 0x4008_0000
        vm.run()
        got = [cpu.x[n] for n in range(31)]
        if got != list(want) + list(range(1000 + len(want), 1031)):
            print(name, smc, got)
print("done", device.total)
"""


def test_no_handler_changes_other_registers(each_target):
    code, names = link(KEPT.replace("    hvc #0\n", "call:\n    hvc #0\n"))
    assert run(each_target, code, KEEPING, 60, instruction=names["call"]) == "done 2002\n"


DEVICES = """
NUMBERS = (0, 5, (1 << 62) - 1, 1 << 62, (1 << 64) - 1)
def tried(load, store, mrs, msr):
    with guest(code) as vm:
        cpu = vm.cpu[0]
        vm.mmio(0x0b00_0000, 0x1000, load)
        vm.mmio(0x0c00_0000, 0x1000, store)
        vm.sysreg("ACTLR_EL1", mrs)
        vm.sysreg("AFSR0_EL1", msr)
        for n in NUMBERS:
            cpu.pc = 0x4008_0000
            cpu.x[4] = n
            vm.run()
            yield cpu.x[2], cpu.x[3], cpu.x[20], cpu.x[6]

@micropython.viper
def v_load(cpu, offset: uint, value) -> uint:
    if value is None:
        return (offset << 4) | uint(0xFFFF_8000)
    return offset
@micropython.viper
def v_store(cpu, offset: uint, value: uint) -> uint:
    return offset
@micropython.viper
def v_mrs(cpu, value) -> uint:
    if value is None:
        return uint(0x1234)
    return uint(1)
@micropython.viper
def v_msr(cpu, value: uint) -> uint:
    return value
@micropython.native
def n_load(cpu, offset, value):
    if value is None:
        return (offset << 4) | 0xFFFF_8000
    return offset
@micropython.native
def n_store(cpu, offset, value):
    return offset
@micropython.native
def n_mrs(cpu, value):
    if value is None:
        return 0x1234
    return 1
@micropython.native
def n_msr(cpu, value):
    return value
def b_load(cpu, offset, value):
    return (offset << 4) | 0xFFFF_8000
def b_store(cpu, offset, value):
    return offset
def b_mrs(cpu, value):
    return 0x1234
def b_msr(cpu, value):
    return value
expected = list(tried(b_load, b_store, b_mrs, b_msr))
print(len(set(expected)))
for functions in (v_load, v_store, v_mrs, v_msr), (n_load, n_store, n_mrs, n_msr):
    if list(tried(*functions)) != expected:
        print(functions, expected, list(tried(*functions)))
"""


def test_devices_and_registers_by_each_kind(each_target):
    code = """
    load x1, 0x0b000000
    ldrsh x2, [x1, #4]
    ldrb w3, [x1, #9]
    ldr x20, [x1, #24]
    load x1, 0x0c000000
    str x4, [x1, #8]
    strh w4, [x1, #12]
    mrs x6, actlr_el1
    msr afsr0_el1, x4
    hvc #0x100
"""
    assert run(each_target, code, DEVICES, 60) == "1\n"


def test_a_viper_device_and_system_register(each_target):
    script = """
vm = guest(code)
@vm.mmio(0x0b00_0000, 0x1000)
@micropython.viper
def device(cpu, offset: uint, value) -> uint:
    if value is None:
        return uint(0x600d)
    return offset

@vm.mmio(0x0c00_0000, 0x1000)
@micropython.viper
def counts(cpu, offset: uint, value: uint) -> uint:
    return offset + value

@vm.sysreg("ACTLR_EL1")
@micropython.viper
def actlr(cpu, value: uint) -> uint:
    return (uint(1) << 63) | uint(1)

vm.run()
print([hex(n) for n in [vm.cpu[0].x[i] for i in range(2, 8)]])
"""
    code = """
    load x1, 0x0b000000
    ldr w2, [x1, #4]
    mov x3, #1
    str x3, [x1, #8]
    movn x4, #0
    str x4, [x1, #8]
    load x1, 0x0c000000
    ldrh w4, [x1, #6]
    ldr x5, [x1, #8]
    ldr w20, [x1, #12]
    mov x6, x20
    mrs x7, actlr_el1
    msr actlr_el1, x4
    hvc #0x100
"""
    got = run(each_target, code, script).strip()
    assert got == "['0x600d', '0x1', '0x6', '0x8', '0xc', '0x8000000000000001']"


def test_a_fault_in_a_handler_stops_the_vm_in_front_of_the_instruction(each_target):
    script = """
vm = guest(code)
@vm.hvc(0xc600_0001)
@micropython.viper
def peek(cpu, x1: ptr32) -> uint:
    return uint(x1[0])
vm.cpu[0].x[1] = 0x8
try:
    vm.run()
except hv.Fault as error:
    print(error)
print(hex(vm.cpu[0].pc))
cell = bytearray(b"\\x78\\x56\\x34\\x12")
import uctypes
vm.cpu[0].x[1] = uctypes.addressof(cell)
vm.run()
print(hex(vm.cpu[0].x[0]))
"""
    assert run(each_target, CALL, script).splitlines() == [
        "cannot read 4 bytes at 0x8: translation fault, level 2, in compiled function 'peek'",
        "0x40080004",
        "0x12345678",
    ]


LOOPING = """
vm = guest(code)
@vm.hvc(imm=7)
def told(cpu):
    print("in the guest")
@vm.hvc(0xc600_0001)
@micropython.{kind}
def forever(cpu, x1{uint}, x2{uint}){result}:
    while True:
        x1 += x2
"""


@pytest.mark.parametrize("kind", ["viper", "native"])
def test_ctrl_c_ends_a_handler_that_loops(target, kind):
    viper = kind == "viper"
    script = LOOPING.format(kind=kind, uint=": uint" * viper, result=" -> uint" * viper)
    run(target, "hvc #7\n load x0, 0xC6000001\n hvc #0\n b .", script)
    # In the foreground, where Ctrl-C is Ctrl-C.
    target.send("vm.run()\r")
    target.until("in the guest\n")
    target.send(CTRL_C)
    assert "KeyboardInterrupt" in target.wait_prompt()
    # In the background it is but a key, and ends a handler that has run for too long.
    target.exec("vm.cpu[0].pc = 0x4008_0000")
    target.send("vm.start()\r")
    target.until("in the guest\n")
    for _ in range(50):
        target.send(CTRL_C)
        with contextlib.suppress(Hung):
            target.until("KeyboardInterrupt", 0.3)
            break
    else:
        pytest.fail("the handler goes on")
    target.send("\r")
    target.wait_prompt(10)
    assert target.repl("vm.exit") == "<Exit raised: cpu 0 at pc 0x40080008>"


BROKEN = """
    mov x20, #10
1:  bl called
    subs x20, x20, #1
    b.ne 1b
    hvc #0x100
called:
    nop
    ret
"""


def test_breakpoints_take_compiled_functions(each_target):
    code, at = link(BROKEN)
    script = """
vm = guest(code)
cpu = vm.cpu[0]
seen = []
@micropython.native
def native(cpu):
    seen.append(cpu.x[20])
@micropython.viper
def viper(cpu):
    seen.append(cpu.x[20])
@micropython.viper
def leaf(cpu):
    n = 0
    for i in range(1000):
        n += i
@micropython.native
def third(cpu):
    if cpu.x[20] == 8:
        return hv.STOP
@micropython.viper
def fourth(cpu):
    if int(cpu.x[20]) == 7:
        return hv.STOP
    return None
for f in native, viper, leaf, third, fourth:
    del seen[:]
    bp = vm.on(at["called"], f)
    cpu.reset(0x4008_0000)
    vm.run()
    print(len(seen), bp.hits, cpu.x[20])
    bp.remove()
"""
    lines = run(each_target, code, script, at=at).splitlines()
    assert lines == ["10 10 0", "10 10 0", "0 10 0", "0 3 8", "0 4 7"]


WRITES = """
    load x1, 0x40201000
    mov x20, #10
1:  str x20, [x1]
    subs x20, x20, #1
    b.ne 1b
    hvc #0x100
"""


def test_watches_take_compiled_functions(each_target):
    script = """
vm = guest(code)
cpu = vm.cpu[0]
seen = []
@micropython.native
def native(cpu, address, size, old, new):
    seen.append(new)
@micropython.viper
def viper(cpu, address, size, old, new):
    seen.append(new)
@micropython.viper
def leaf(cpu, address: uint, size: uint, old: uint, new: uint):
    n = 0
    for i in range(1000):
        n += i
for f in native, viper, leaf:
    del seen[:]
    w = vm.watch(None, 8, "w", f, ipa=0x4020_1000)
    cpu.reset(0x4008_0000)
    vm.run()
    print(len(seen), seen[:2], w.hits)
    w.remove()
"""
    lines = run(each_target, WRITES, script).splitlines()
    assert lines == ["10 [10, 9] 10", "10 [10, 9] 10", "0 [] 10"]


def test_fuzzing_takes_compiled_functions(target):
    code, at = link(BROKEN)
    script = """
vm = guest(code)
put, said = [], []
@micropython.native
def native_put(cpu, data):
    put.append(len(data))
@micropython.native
def native(cpu, data, verdict):
    said.append(verdict)
    return verdict == "crash"
@micropython.viper
def viper_put(cpu, data):
    put.append(len(data))
@micropython.viper
def viper(cpu, data, verdict):
    said.append(verdict)
    return None
for p, oracle in (native_put, native), (viper_put, viper):
    del put[:], said[:]
    vm.cpu[0].reset(0x4008_0000)
    with vm.fuzz(at["called"], put=p, oracle=oracle, max=16, blocks=[at["called"]]) as fz:
        fz.add(b"hello")
        fz.run(20)
    print(len(put) >= 20, len(said) >= 20, set(said))
"""
    lines = run(target, code, script, at=at).splitlines()
    assert lines == ["True True {'ok'}"] * 2
