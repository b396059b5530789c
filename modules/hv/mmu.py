# SPDX-License-Identifier: MIT
"""hv.mmu: EL2's own address space, where Python lives. Virtual is physical unless you say otherwise.

    hv.mmu.map(0x0A00_0000, 0x0A00_0000, 0x1000, "device")
    hv.mmu.dump()

Types: "data" (read, write), "ro", "code" (read, execute), "nc" (data, not cached), "device". Addresses
and sizes are multiples of 4 KB. What the hypervisor itself stands on is refused with a ValueError,
unless `unsafe`: then the next thing you see may be a register dump. Pause guests that run on other cores
first: a block of 2 MB of which a part changes is not there for a moment (DDI 0487 D5.10.1).
"""

from _hv import mmu, mmu_parts, mmu_run
from _hv import mmu_translate as _translate


def map(va: int, pa: int, size: int, type: str = "data", *, unsafe: bool = False) -> None:
    """Make [pa, pa + size) appear at `va`, where nothing may be mapped yet."""
    mmu("map", va, size, pa, type, unsafe)


def unmap(va: int, size: int, *, unsafe: bool = False) -> None:
    """Take it away: what is touched there raises, or is the end."""
    mmu("unmap", va, size, 0, "", unsafe)


def protect(va: int, size: int, type: str, *, unsafe: bool = False) -> None:
    """Change the type of what is mapped there."""
    mmu("protect", va, size, 0, type, unsafe)


def translate(va: int, write: bool = False) -> int:
    """The physical address, asked of the MMU itself (AT S1E2R or S1E2W); hv.Fault when there is none."""
    return _translate(va, write)


def walk(va: int) -> tuple[int, int] | None:
    """The entry for an address as (level, entry), or None."""
    run = mmu_run(va)
    return run[2:] if run and run[0] <= va else None


def dump() -> None:
    """Print what is mapped, and which parts are the image's."""
    for line in _lines():
        print(line)


def _lines():
    at, parts = 0, mmu_parts()
    while run := mmu_run(at):
        va, size, level, entry = run
        names = [name for name, start, end in parts if start < va + size and va < end]
        yield (
            f"{va:#012x}-{va + size - 1:#012x} {entry & 0xFFFF_FFFF_F000:#012x} "
            f"{size >> (39 - 9 * level):6} x {('1G', '2M', '4K')[level - 1]} "
            f"r{'w-'[entry >> 7 & 1]}{'x-'[entry >> 54 & 1]} {('device', 'normal', 'nc', '?')[entry >> 2 & 3]} "
            + " ".join(names)
        )
        at = va + size
