# SPDX-License-Identifier: MIT
"""vm.core(path): an ELF core of a VM, which gdb opens: gdb-multiarch vmlinux core.

A thread is a vCPU. Memory is where the first one's tables have it, kernel's and user's; where its MMU is off, where it
is. Pages of zeros are not in the file.
"""

import struct
from array import array

from _hv import Pages

PAGE = 0x1000
STEP = 0x1_0000
_M = 1 << 40  # of output addresses, what a VM has


def _note(name, kind, data):
    name += b"\0"
    pad = bytes(-len(name) % 4)
    return (
        struct.pack("<III", len(name), len(data), kind) + name + pad + data + bytes(-len(data) % 4)
    )


def _prstatus(cpu, signal):
    # struct elf_prstatus of Linux: signal, no times, the 34 registers of user_pt_regs, fpvalid.
    head = struct.pack("<iiihhQQiiii", signal, 0, 0, signal, 0, 0, 0, cpu.id + 1, 0, 0, 0) + bytes(
        64
    )
    x = [cpu.x[i] for i in range(31)]
    return head + struct.pack("<34Q", *x, cpu.sp, cpu.pc, cpu.pstate) + struct.pack("<ii", 1, 0)


def _fpregset(cpu):
    q = b"".join([cpu.q[i].to_bytes(16, "little") for i in range(32)])
    return q + struct.pack("<IIQ", cpu.fpsr & 0xFFFF_FFFF, cpu.fpcr & 0xFFFF_FFFF, 0)


class _Runs:
    """What is mapped: (virtual address, IPA, bytes), joined where both go on."""

    def __init__(self, memory):
        self.memory, self.all = memory, []
        self.end = memory.base + memory.size

    def add(self, va, pa, size):
        if pa >= self.end or pa + size <= self.memory.base:
            return
        last = self.all[-1] if self.all else (0, 0, 0)
        if last[0] + last[2] == va and last[1] + last[2] == pa:
            self.all[-1] = (last[0], last[1], last[2] + size)
        else:
            self.all.append((va, pa, size))

    def table(self, pa, va, shift, granule):
        bits = granule - 3
        size = 8 << bits
        if pa < self.memory.base or pa + size > self.end:
            return
        mask = _M - 1 & ~((1 << granule) - 1)
        for i, entry in enumerate(array("Q", self.memory[pa : pa + size])):
            if not entry & 1:
                continue
            at = va + (i << shift)
            if entry & 2 and shift > granule:
                self.table(entry & mask, at, shift - bits, granule)
            elif shift == granule or not entry & 2:
                self.add(at, entry & mask & ~((1 << shift) - 1), 1 << shift)

    def space(self, ttbr, bits, granule, first):
        # DDI 0487 D5.2: levels from the top, of granule - 3 bits each.
        shift = granule
        while shift + granule - 3 < bits:
            shift += granule - 3
        if bits - shift < granule - 3:  # the first one is shorter: read as far as it goes
            entries = self.memory[(ttbr & _M - 2) : (ttbr & _M - 2) + (8 << bits - shift)]
            mask = _M - 1 & ~((1 << granule) - 1)
            for i, entry in enumerate(array("Q", entries)):
                if entry & 3 == 3 and shift > granule:
                    self.table(entry & mask, first + (i << shift), shift - granule + 3, granule)
                elif entry & 1:
                    self.add(first + (i << shift), entry & mask & ~((1 << shift) - 1), 1 << shift)
        else:
            self.table(ttbr & _M - 2, first, shift, granule)


def _mapped(vm):
    cpu, runs = vm.cpu[0], _Runs(vm.memory)
    if cpu.sysreg["SCTLR_EL1"] & 1:
        tcr = cpu.sysreg["TCR_EL1"]
        for n, low, grains in ((0, 0, (12, 16, 14, 12)), (1, 16, (12, 14, 12, 16))):
            bits = 64 - (tcr >> low & 63)
            ttbr = cpu.sysreg[f"TTBR{n}_EL1"] & (1 << 48) - 1
            if not tcr >> low + 7 & 1 and vm.memory.base <= ttbr < runs.end:
                granule = grains[tcr >> (30 if n else 14) & 3]
                runs.space(ttbr, bits, granule, (1 << 64) - (1 << bits) if n else 0)
    if not runs.all:
        runs.add(vm.memory.base, vm.memory.base, vm.memory.size)
    return runs.all


def _stored(vm, room, progress):
    """Where there is anything: [start, end) of RAM, by STEP."""
    ranges, memory = [], vm.memory
    end = memory.base + memory.size
    for at in range(memory.base, end, STEP):
        if progress:
            progress(at - memory.base, 2 * memory.size)
        if vm._vm.hold("read", None, at, room[: min(STEP, end - at)]):
            if ranges and ranges[-1][1] == at:
                ranges[-1][1] = min(at + STEP, end)
            else:
                ranges.append([at, min(at + STEP, end)])
    return ranges


def _parts(runs, stored):
    """Of each run, what is in the file, and what is zero: (va, pa, bytes, index of the range or -1)."""
    for va, pa, size in runs:
        end = pa + size
        for i, (low, high) in enumerate(stored):
            if high <= pa or low >= end:
                continue
            if low > pa:
                yield va, pa, low - pa, -1
                va, pa = va + low - pa, low
            n = min(high, end) - pa
            yield va, pa, n, i
            va, pa = va + n, pa + n
        if pa < end:
            yield va, pa, end - pa, -1


def _write(vm, file, progress):
    room = memoryview(Pages(STEP))
    stored = _stored(vm, room, progress)
    parts = list(_parts(_mapped(vm), stored))[:60000]
    notes = b"".join(
        [_note(b"CORE", 1, _prstatus(c, 5)) + _note(b"CORE", 2, _fpregset(c)) for c in vm.cpu]
    )
    start = 64 + 56 * (len(parts) + 1)
    at, places = (start + len(notes) + PAGE - 1) & ~(PAGE - 1), []
    for low, high in stored:
        places.append(at)
        at += high - low
    ident = b"\x7fELF\2\1\1" + bytes(9)
    file.write(
        ident
        + struct.pack("<HHIQQQIHHHHHH", 4, 183, 1, 0, 64, 0, 0, 64, 56, len(parts) + 1, 0, 0, 0)
    )
    file.write(struct.pack("<IIQQQQQQ", 4, 0, start, 0, 0, len(notes), 0, 4))
    for va, pa, size, i in parts:
        there = i >= 0
        offset = places[i] + pa - stored[i][0] if there else 0
        file.write(
            struct.pack("<IIQQQQQQ", 1, 7, offset, va, pa, size if there else 0, size, PAGE)
        )
    file.write(notes)
    file.write(bytes((-(start + len(notes))) % PAGE))
    for low, high in stored:
        for p in range(low, high, STEP):
            view = room[: min(STEP, high - p)]
            vm._vm.hold("read", None, p, view)
            file.write(view)
            if progress:
                progress(vm.memory.size + p - vm.memory.base, 2 * vm.memory.size)
    return at


def core(vm, path):
    from _hv import interactive

    from .whole import Whole

    was = vm.pause()
    try:
        with Whole(path) as (file, bar):
            return _write(vm, file, bar if interactive() else None)
    finally:
        if was:
            vm.start()
