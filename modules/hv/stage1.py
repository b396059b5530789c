# SPDX-License-Identifier: MIT
"""A Linux's memory by the tables of its kernel, or of one of its processes, with no vCPU that would be there: where its
MMU has them is in its vmcoreinfo note.
"""


class Tables:
    """Stage 1 (DDI 0487 D5.3, VMSAv8-64), walked by hand."""

    def __init__(self, vm, note):
        self._memory = vm.memory
        self.offset = note.voffset()
        self._page = {16384: 14, 65536: 16}.get(note.number("PAGESIZE"), 12)
        self._bits = 64 - (
            note.number("NUMBER(TCR_EL1_T1SZ)", 16) or 64 - note.number("NUMBER(VA_BITS)")
        )
        self._kernel = note.symbol("swapper_pg_dir") - self.offset & (1 << 64) - 1

    def long(self, ipa):
        """Of 8 bytes; 0 where no RAM is."""
        memory = self._memory
        if not memory.base <= ipa <= memory.base + memory.size - 8:
            return 0
        return int.from_bytes(memory[ipa : ipa + 8], "little")

    def ipa(self, va, root=None):
        """Where it is, or None. root: of the tables for addresses of a process."""
        table = self._kernel if va >> 63 or root is None else root
        if va >> self._bits not in (0, (1 << 64 - self._bits) - 1):
            return None
        va &= (1 << self._bits) - 1
        page, stride = self._page, self._page - 3
        shift = page + stride * ((self._bits - page - 1) // stride)
        while True:
            entry = self.long(table + 8 * (va >> shift & (1 << stride) - 1))
            at, leaf = entry & 0xFFFF_FFFF_F000, shift == page or not entry & 2
            if not entry & 1 or (shift == page and not entry & 2):
                return None
            if leaf:
                return at >> shift << shift | va & (1 << shift) - 1
            table, shift = at >> page << page, shift - stride
