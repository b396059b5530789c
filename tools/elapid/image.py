# SPDX-License-Identifier: MIT
"""Where the built hypervisor is: $ELAPID_IMAGE, what a wheel brought along, or the source tree's root."""

import os
from pathlib import Path

from .say import Stop

PACKAGE = Path(__file__).resolve().parent
SOURCE = PACKAGE.parent.parent  # the repository's root, when this is in it
IN_SOURCE = (SOURCE / "boot").is_dir() and (SOURCE / "Makefile").is_file()


def find(name: str = "hypervisor.elf") -> Path:
    """The path of hypervisor.elf or hypervisor.bin."""
    if said := os.environ.get("ELAPID_IMAGE"):
        return Path(said)
    for folder in (SOURCE,) if IN_SOURCE else (PACKAGE / "data",):
        if (folder / name).is_file():
            return folder / name
    raise Stop(f"no {name} in {folder}: run make there, or set ELAPID_IMAGE to where it is")
