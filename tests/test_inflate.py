# SPDX-License-Identifier: MIT
"""The inflater behind deflate and packed modules, against the host's zlib."""

import random
import zlib

import pytest
from harness import TargetError

SETUP = """
import deflate, io, binascii
def inflate(data, form, wbits, piece):
    stream = deflate.DeflateIO(io.BytesIO(data + b'tail'), form, wbits)
    crc = total = 0
    while got := stream.read(piece):
        crc = binascii.crc32(got, crc)
        total += len(got)
    return total, crc
"""


def samples():
    noise = random.Random(7)
    words = [noise.randbytes(noise.randint(1, 12)) for _ in range(60)]
    yield b""
    yield b"a"
    yield bytes(20_000)
    yield noise.randbytes(3_000)  # stored
    yield b"".join(noise.choice(words) for _ in range(1_500))
    yield bytes(noise.choice(b"aaaaaaaabbbbccde\n") for _ in range(6_000))
    yield bytes(min(255, int(noise.expovariate(0.03))) for _ in range(5_000))  # long codes


@pytest.mark.parametrize(
    "form, host, level, strategy",
    [
        ("RAW", -1, 0, zlib.Z_DEFAULT_STRATEGY),
        ("ZLIB", 1, 1, zlib.Z_FIXED),
        ("RAW", -1, 6, zlib.Z_HUFFMAN_ONLY),
        ("GZIP", 17, 9, zlib.Z_DEFAULT_STRATEGY),
    ],
)
def test_what_zlib_makes(target, form, host, level, strategy):
    target.exec(SETUP)
    for wbits, piece in ((15, 4096), (9, 1000), (12, 1)):
        for data in list(samples())[: 7 if piece > 1 else 2]:
            bits = wbits if form != "GZIP" else 15
            host_bits = {-1: -bits, 1: bits, 17: bits + 16}[host]
            stream = zlib.compressobj(level, zlib.DEFLATED, host_bits, 9, strategy)
            packed = stream.compress(data) + stream.flush()
            target.exec("packed = bytearray()")
            for at in range(0, len(packed), 16000):
                target.exec(f"packed += {packed[at : at + 16000]!r}")
            answer = target.eval(f"inflate(packed, deflate.{form}, {bits}, {piece})", 60)
            assert answer == (len(data), zlib.crc32(data))


def test_damage_is_an_error(target):
    target.exec(SETUP)
    data = b"".join(b"%d squared is %d\n" % (n, n * n) for n in range(3000))
    packed = zlib.compress(data, 9)
    target.exec(f"packed = {packed!r}")
    noise = random.Random(3)
    for _ in range(60):
        at, bit = noise.randrange(2, len(packed)), 1 << noise.randrange(8)
        code = f"x = bytearray(packed); x[{at}] ^= {bit}; inflate(x, deflate.ZLIB, 15, 512)"
        with pytest.raises(TargetError):
            target.exec(code)
    with pytest.raises(TargetError):
        target.exec("deflate.DeflateIO(io.BytesIO(packed[:-300]), deflate.ZLIB).read()")
