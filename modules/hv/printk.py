# SPDX-License-Identifier: MIT
"""The log of a Linux: k.dmesg(). Its ring of descriptors, and that of texts, are those of
kernel/printk/printk_ringbuffer.h, from Linux 5.10 on.
"""

import struct

from .note import printable
from .rows import rows

_FINAL = 2  # the state of a descriptor


def dmesg(k):
    return rows(None, _lines(k))


def _lines(k):
    ring = k["prb"]
    descs, texts = ring.desc_ring, ring.text_data_ring
    bits = descs.count_bits
    if not 0 < bits < 24 or not 0 < texts.size_bits < 32:
        k._fault(int(ring), f"no log of 2^{bits} records in 2^{texts.size_bits} bytes")
    desc, info = k.type("struct prb_desc"), k.type("struct printk_info")
    begin, stamp, length = (
        desc.offset("text_blk_lpos"),
        info.offset("ts_nsec"),
        info.offset("text_len"),
    )
    at_descs, at_infos, data = int(descs.descs), int(descs.infos), int(texts.data)
    place = desc.offset("state_var")
    mask, first, last = (1 << 62) - 1, descs.tail_id.counter, descs.head_id.counter
    for n in range(min((last - first & mask) + 1, 1 << bits)):
        number = first + n & mask
        at = number & (1 << bits) - 1
        one = k.read(at_descs + at * desc.size, desc.size)
        (now,) = struct.unpack_from("<Q", one, place)
        if now != _FINAL << 62 | number:
            continue  # it is being written, or was given up
        where, behind = struct.unpack_from("<2Q", one, begin)
        about = k.read(at_infos + at * info.size, info.size)
        (time,), (size,) = (
            struct.unpack_from("<Q", about, stamp),
            struct.unpack_from("<H", about, length),
        )
        text = _text(k, data, texts.size_bits, where, behind, size)
        for line in text.split(b"\n"):
            yield f"[{time // 1_000_000_000:5}.{time // 1000 % 1_000_000:06}] {printable(line)}"


def _text(k, data, bits, begin, behind, size):
    if begin & 1:
        return b""  # a record without one
    if begin >> bits != behind - 1 >> bits:
        begin = 0  # it did not fit behind the others
    begin = (begin & (1 << bits) - 1) + 8  # the number of its descriptor is in front
    return k.read(data + begin, min(size, (1 << bits) - begin)) if size else b""
