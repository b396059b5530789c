# SPDX-License-Identifier: MIT
"""cpu.where(): the function a vCPU is in, who called it, and the instructions around its PC.

Callers are found by frame records, the chain from x29 on (AAPCS64, "The Frame Pointer"): a pair of the caller's x29
and the address to return to. Where Linux has taken an exception its record is in a struct pt_regs, and so is what was
interrupted (arch/arm64/include/asm/ptrace.h): the chain goes on there, at EL0 too.
"""

import struct

from .symbols import place, text

_RECORD, _NEW_RECORD = 304, 296  # of pt_regs.stackframe: up to Linux 6.12, and from 6.13 on
_AROUND = 4  # instructions before the PC, and behind it
_PROLOGUE = 64  # instructions of a function that are looked at


class Where:
    """frames: (address, "name+0x10" or None, how one came there) from the innermost on: "pc", "call",
    "exception" for what an exception interrupted, "EL0" for what it did so in user space.
    code: (address, word, text) around the PC.
    """

    def __init__(self, cpu, limit=32):
        self.frames = []
        self.code = []
        self._cpu = cpu
        self._limit = limit
        try:
            self._tables = cpu.vm.symbols.tables()
        except ValueError:
            self._tables = ()
        self._walk()
        self._decode()

    def __repr__(self):
        lines = []
        for n, (address, name, how) in enumerate(self.frames):
            if how in ("exception", "EL0"):
                lines.append("    interrupted" + (" at EL0" if how == "EL0" else "") + ":")
            lines.append(f"#{n:<2} {address:#018x}" + (f" {name}" if name else ""))
        for address, word, code in self.code:
            mark = " >"[address == self.frames[0][0]]
            lines.append(f" {mark} {address:#018x}  {word:08x}  {code}")
        return "\n".join(lines)

    # -- The chain

    def _walk(self):
        cpu = self._cpu
        pc, fp, mode = cpu.pc, cpu.x[29], cpu.pstate & 31
        if mode >= 16:
            self._add(pc, "pc")
            return  # AArch32 has no such records
        vectors = cpu.sysreg["VBAR_EL1"]
        if mode and vectors <= pc < vectors + 0x800:
            # Nothing has been saved yet: what was interrupted is in the registers.
            self._add(pc, "pc")
            how = "exception" if cpu.sysreg["SPSR_EL1"] & 15 else "EL0"
            self._add(cpu.sysreg["ELR_EL1"], how, cpu.x[30])
        else:
            self._add(pc, "pc", cpu.x[30])
        seen = set()
        while fp not in seen and len(self.frames) < self._limit:
            seen.add(fp)
            record = self._longs(fp, 2)
            if not record:
                return
            fp = self._caller(fp, *record)

    def _caller(self, fp, before, back):
        """Add whom this record returns to, or what was interrupted; the next record, 0 at the end."""
        known = not (before or back)  # the record says only that there are registers
        # From 6.13 on a word behind it says so: FRAME_META_TYPE_FINAL or _PT_REGS.
        new = known and (self._longs(fp + 16, 1) or (0,))[0] in (1, 2)
        regs = self._longs(fp - (_NEW_RECORD if new else _RECORD), 34)
        if regs:
            # PSTATE has no bits 26 and 27, 13 to 19, and 5 in AArch64 (C5.2.18).
            mode = regs[33] & 15 if regs[33] >> 32 == 0 and not regs[33] & 0xC0F_E020 else None
            if mode == 0 and known and 0 < regs[32] < 1 << 56:
                self._add(regs[32], "EL0", regs[30])
                return regs[29]
            if mode in (4, 5) and regs[32] and (known or (regs[29], regs[32]) == (before, back)):
                self._add(regs[32], "exception", regs[30])
                return regs[29]
        if not back or back & 3 or len(self._cpu.read(back - 4, 4)) < 4:
            return 0
        self._add(back, "call")
        return before

    def _longs(self, address, count):
        """So many words of 8 bytes, or None."""
        if address & 7 or not address:
            return None
        data = self._cpu.read(address, 8 * count)
        return struct.unpack(f"<{count}Q", data) if len(data) == 8 * count else None

    def _add(self, address, how, link=0):
        """A frame. link: x30 there, if it is known: of a function without a record of its own it is the only sign
        of its caller.
        """
        # A call may be the last instruction of a function that expects no return.
        found = place(self._tables, address - 4 * (how == "call"))
        self.frames.append((address, found and text(found, address), how))
        if link and found and not self._framed(found[0], address):
            self._add(link, "call")

    def _framed(self, start, pc):
        """Whether x29 is the record of the function that begins at `start` already, and still, at `pc`."""
        first = max(start, pc - 4 * _PROLOGUE)
        data = self._cpu.read(first, pc - first)
        words = struct.unpack(f"<{len(data) // 4}I", data)
        for word in reversed(words[-4:]):
            if word & 0xFFFF_FC1F == 0xD65F_0000:
                break  # RET: this is no epilogue, it is behind one
            if word & 0xFE40_7FFF == 0xA840_7BFD:
                return False  # LDP x29, x30: it is about to return
        return start < first or any(
            [w & 0xFFC0_03FF == 0x9100_03FD for w in words]
        )  # ADD x29, sp, #

    # -- The code

    def _decode(self):
        from .a64 import instruction

        pc = self._cpu.pc
        if self._cpu.pstate & 16 or pc & 3:
            return
        for address in range(max(0, pc - 4 * _AROUND), pc + 4 * _AROUND + 4, 4):
            data = self._cpu.read(address, 4)
            if len(data) == 4:
                (word,) = struct.unpack("<I", data)
                self.code.append((address, word, instruction(word, address)))
