# SPDX-License-Identifier: MIT
"""vm.stage2: what a guest's addresses (IPA) mean on this machine.

RAM of a VM appears by itself when it is first touched. What a script maps, protects or unmaps
stays so. Addresses and sizes are multiples of 4 KB; the largest entries that fit are used.
"""

import _hv

_SCRIPT = 32
_TYPES = {"normal": 0, "device": 8, "nc": 16, None: 64}
_SIZES = ("", "1G", "2M", "4K")


class Stage2:
    """What a guest's addresses (IPA) mean on this machine."""

    def __init__(self, vm):
        self._vm = vm

    def __repr__(self):
        return (
            "<Stage2: closed>"
            if self._vm.closed
            else f"<Stage2 of {self._vm.name}: dump() prints it>"
        )

    def map(
        self,
        ipa: int,
        pa: int | None,
        size: int,
        perms: str | None = None,
        type: str | None = None,
        *,
        unsafe: bool = False,
    ) -> None:
        """Let the guest reach [pa, pa + size) of this machine at `ipa`; pa None: memory of its own,
        zeroed if it is new. perms: letters of "rwx" (default: all; "rw" of a device). type: "normal",
        "nc" (not cached) or "device", the default outside RAM.

        ValueError when that is the hypervisor's or another VM's, or a device that may write to memory
        by itself (DMA), unless `unsafe`.
        """
        if type not in _TYPES:
            raise ValueError(f"no type {type!r}: normal, nc or device")
        flags = _TYPES[type] | _SCRIPT | (128 if perms is None else _rights(perms))
        self._vm.stage2("map", ipa, size, pa, flags, unsafe)

    def unmap(self, ipa: int, size: int) -> None:
        """Take it away: an access is an exit, or a device's."""
        self._vm.stage2("unmap", ipa, size, None, _SCRIPT, False)

    def protect(self, ipa: int, size: int, perms: str) -> None:
        """Change the rights of what is mapped there: letters of "rwx", or "" for none."""
        self._vm.stage2("protect", ipa, size, None, _rights(perms) | _SCRIPT, False)

    def walk(self, ipa: int) -> tuple[int, int] | None:
        """The entry for an IPA as (level, entry), or None."""
        run = self._vm.stage2_run(ipa)
        return run[2:] if run and run[0] <= ipa else None

    def translate(self, ipa: int) -> int:
        """The physical address behind an IPA; hv.Fault when there is none."""
        run = self._vm.stage2_run(ipa)
        if not run or run[0] > ipa:
            raise _hv.Fault(f"IPA {ipa:#x} is not mapped")
        return (run[3] & 0xFFFF_FFFF_F000) + ipa - run[0]

    def dump(self) -> None:
        """Print what is mapped. "*": said by a script."""
        for line in self._lines():
            print(line)

    def _lines(self):
        at = 0
        while run := self._vm.stage2_run(at):
            ipa, size, level, entry = run
            yield (
                f"{ipa:#012x}-{ipa + size - 1:#012x} {entry & 0xFFFF_FFFF_F000:#012x} "
                f"{size >> (39 - 9 * level):6} x {_SIZES[level]} "
                f"{rights(entry)} {memory(entry)}{'*' if entry >> 55 & 1 else ''}"
            )
            at = ipa + size


def _rights(perms):
    if not isinstance(perms, str) or perms.strip("rwx"):
        raise ValueError(f"rights are letters of rwx, not {perms!r}")
    return sum([1 << "rwx".index(letter) for letter in perms])


def rights(entry: int) -> str:
    """The rights an entry gives, as "rwx"."""
    return "-r"[entry >> 6 & 1] + "-w"[entry >> 7 & 1] + "x-"[entry >> 54 & 1]


def memory(entry: int) -> str:
    """The memory type an entry gives."""
    return {0xF: "normal", 0x5: "nc", 0x1: "device"}.get(entry >> 2 & 15, "?")
