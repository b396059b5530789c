# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/stage2.py.
"""vm.stage2: what a guest's addresses (IPA) mean on this machine.

RAM of a VM appears by itself when it is first touched. What a script maps, protects or unmaps
stays so. Addresses and sizes are multiples of 4 KB; the largest entries that fit are used."""

from typing import Any

import _hv

class Stage2:
    """What a guest's addresses (IPA) mean on this machine."""

    def __init__(self, vm: Any) -> None: ...
    def map(self, ipa: int, pa: int | None, size: int, perms: str | None=None, type: str | None=None, *, unsafe: bool=False) -> None:
        """Let the guest reach [pa, pa + size) of this machine at `ipa`; pa None: memory of its own,
        zeroed if it is new. perms: letters of "rwx" (default: all; "rw" of a device). type: "normal",
        "nc" (not cached) or "device", the default outside RAM.

        ValueError when that is the hypervisor's or another VM's, or a device that may write to memory
        by itself (DMA), unless `unsafe`."""
    def unmap(self, ipa: int, size: int) -> None:
        """Take it away: an access is an exit, or a device's."""
    def protect(self, ipa: int, size: int, perms: str) -> None:
        """Change the rights of what is mapped there: letters of "rwx", or "" for none."""
    def walk(self, ipa: int) -> tuple[int, int] | None:
        """The entry for an IPA as (level, entry), or None."""
    def translate(self, ipa: int) -> int:
        """The physical address behind an IPA; hv.Fault when there is none."""
    def dump(self) -> None:
        """Print what is mapped. "*": said by a script."""

def rights(entry: int) -> str:
    """The rights an entry gives, as "rwx"."""
def memory(entry: int) -> str:
    """The memory type an entry gives."""
