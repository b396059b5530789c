# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/mmu.py.
"""hv.mmu: EL2's own address space, where Python lives. Virtual is physical unless you say otherwise.

    hv.mmu.map(0x0A00_0000, 0x0A00_0000, 0x1000, "device")
    hv.mmu.dump()

Types: "data" (read, write), "ro", "code" (read, execute), "nc" (data, not cached), "device". Addresses
and sizes are multiples of 4 KB. What the hypervisor itself stands on is refused with a ValueError,
unless `unsafe`: then the next thing you see may be a register dump. Pause guests that run on other cores
first: a block of 2 MB of which a part changes is not there for a moment (DDI 0487 D5.10.1)."""

from typing import Any

from _hv import mmu as mmu, mmu_parts as mmu_parts, mmu_run as mmu_run
from _hv import mmu_translate as _translate
def map(va: int, pa: int, size: int, type: str='data', *, unsafe: bool=False) -> None:
    """Make [pa, pa + size) appear at `va`, where nothing may be mapped yet."""
def unmap(va: int, size: int, *, unsafe: bool=False) -> None:
    """Take it away: what is touched there raises, or is the end."""
def protect(va: int, size: int, type: str, *, unsafe: bool=False) -> None:
    """Change the type of what is mapped there."""
def translate(va: int, write: bool=False) -> int:
    """The physical address, asked of the MMU itself (AT S1E2R or S1E2W); hv.Fault when there is none."""
def walk(va: int) -> tuple[int, int] | None:
    """The entry for an address as (level, entry), or None."""
def dump() -> None:
    """Print what is mapped, and which parts are the image's."""
