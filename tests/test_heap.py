# SPDX-License-Identifier: MIT
"""The heap: what is reachable stays as it is, whatever is allocated, made longer, freed and collected around it."""

import pytest

CHURN = """
import gc, random
random.seed(SEED)

def fill(n, i):
    return bytes((i + k) & 255 for k in range(8)) * (n // 8) + bytes(n % 8)

kept = {}
for i in range(4000):
    n = random.choice((8, 33, 64, 100, 500, 511, 512, 513, 1000, 1024, 4096, 20000))
    kind = random.randrange(5)
    if kind == 0:
        kept[i] = bytearray(fill(n, i))
    elif kind == 1:
        kept[i] = [bytearray(fill(n, i))]
        for k in range(random.randrange(40)):
            kept[i].append((k, [k]))
    elif kind == 2 and kept:
        b = kept[random.choice(list(kept))]
        b = b if type(b) is bytearray else b[0]
        b.extend(bytes(n))
    elif len(kept) > 200:
        for k in list(kept)[: random.randrange(50)]:
            del kept[k]
    if i % 97 == 0:
        gc.collect()
bad = 0
for i, v in kept.items():
    b = v if type(v) is bytearray else v[0]
    bad += b[:8] != fill(8, i)
    bad += type(v) is list and [(k, x) for k, x in enumerate(v[1:])] != [(k, (k, [k])) for k in range(len(v) - 1)]
print("bad", bad, len(kept) > 100)
"""


@pytest.mark.parametrize("seed", (1, 2))
def test_what_is_reachable_stays(target, seed):
    assert target.exec(CHURN.replace("SEED", str(seed)), 120) == "bad 0 True\n"


DEEP = """
import gc, _hv
def pages():
    found = []
    for size in (1 << n for n in range(30, 11, -1)):
        try:
            while True:
                found.append(_hv.Pages(size))
        except MemoryError:
            pass
    return found

deep = None
for i in range(20000):
    deep = [deep, (i, [i])]
taken = pages() if SHORT else None
gc.collect()
other = [[i] for i in range(20000)]
gc.collect()
i = 20000
while deep is not None:
    i -= 1
    if deep[1] != (i, [i]):
        print("lost at", i)
        break
    deep = deep[0]
print(i, sum(x[0] for x in other), taken is None)
del taken, other
gc.collect()
gc.collect()
"""


@pytest.mark.parametrize("short", (False, True))
def test_deep_structures(target, short):
    """Deeper than the collector's stack is at first; and where there is no memory to make it larger."""
    said = target.exec(DEEP.replace("SHORT", str(short)), 120)
    assert said == f"0 199990000 {not short}\n"


def test_neighbours(target):
    """Freed and made longer in place, where one word of the table ends and another begins."""
    script = """
import gc
for n in range(1, 200):
    parts = [bytearray(32 * n) for i in range(5)]
    for i, p in enumerate(parts):
        for k in range(0, len(p), 32):
            p[k] = i + 1
    del parts[1]
    gc.collect()
    parts.insert(1, bytearray(32 * n))
    if any(parts[1]):
        print("not zero", n)
    parts[1].extend(bytes(32 * n))
    for i in (0, 2, 3, 4):
        if any(parts[i][k] != i + 1 for k in range(0, 32 * n, 32)):
            print("written over", n, i)
print("done")
"""
    assert target.exec(script, 120) == "done\n"
