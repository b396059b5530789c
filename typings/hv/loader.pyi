# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/loader.py.
"""Puts images into guest RAM: ELF, arm64 Image, flat binaries, also gzip'd or as EFI zboot.

    loaded = loader.load(memory, "hello.elf")
    loaded = loader.linux(memory, "Image", tree, initrd="rd.gz")

A source is a path, an open binary file or a buffer. Headers are checked before guest RAM is
touched, data goes from the source straight into `memory.view(ipa, n)`, and when a source turns out
bad on the way (short, a checksum wrong) what was written is zeroed: after a ValueError there is
nothing to run."""

from typing import Any

import struct
PIECE = 262144
"""Bytes between two calls of `progress`."""
FLAT_OFFSET = 524288
"""A flat binary's place in RAM: that of QEMU's -kernel."""
ALIGN = 2097152
"""An Image's base (Linux: Documentation/arch/arm64/booting.rst)."""
PAGE_SIZES: object
"""Translation granules of the Cortex-A53: it has no 16 KB."""
INITRD_REACH: object
"""From the 1 GB boundary below the kernel (booting.rst)."""

class Loaded:
    """What was loaded and where.

    kind        "elf", "image" or "flat"; via: "gzip" or "zboot" if it had to be unpacked, else ""
    entry       IPA to start at
    base, end   IPAs, end exclusive; bss included
    slide       what was added to the addresses of an ELF that is not where it was linked
    page_size, big_endian   what an Image says of itself; 0 where it does not
    dtb, initrd after `linux`: IPA of the device tree; (start, end) or None"""

    kind: Any
    via: Any
    entry: Any
    base: Any
    end: Any
    slide: Any
    page_size: Any
    big_endian: Any
    dtb: Any
    initrd: Any
    def __init__(self, kind: Any, entry: Any, base: Any, end: Any) -> None: ...
    def taken(self) -> Any:
        """[(base, end)] of RAM that is in use now; see `put_tree`."""

def identify(head: Any, size: Any=None) -> Any:
    """Tell an image by its first bytes (4 KB are plenty) and, if known, its size in bytes.

    "elf", "image" (arm64), "gzip", "zboot", "flat" for what looks like nothing else, or
    "foreign: " and what it is and what to do with it."""
def load(memory: Any, source: Any, at: Any=None, entry: Any=None, progress: Any=None, kind: Any=None) -> Any:
    """Load an image into guest RAM; returns a Loaded.

    at        IPA for its first byte: an ELF's lowest segment, an Image's header, a flat binary
    entry     IPA to start at instead of the image's own entry
    progress  called with (done, total), bytes of the source, after each piece
    kind      "flat": take the bytes as they are, whatever they look like"""
def linux(memory: Any, kernel: Any, tree: Any, initrd: Any=None, progress: Any=None, taken: Any=()) -> Any:
    """Load a kernel, initrd and device tree as arm64's booting.rst wants them; returns a Loaded.

    The kernel is an arm64 Image, also gzip'd or zboot. `tree` is an fdt.Tree; its /chosen gets the
    initrd's place. Start the guest at `entry` with x0 = `dtb`.
    `taken`: [(base, end)] of RAM to leave alone."""
def put_tree(memory: Any, tree: Any, taken: Any=(), at: Any=None) -> Any:
    """Write a device tree where `taken`, [(base, end)], leaves room; returns its IPA for x0.

    That is the base of RAM, where U-Boot and EDK2 look for it; if it has to be elsewhere there is
    a copy at the base all the same, if that is free."""
def place_tree(memory: Any, tree: Any, loaded: Any, at: Any=None) -> Any:
    """put_tree() for what has been loaded: above it. Of a flat binary nobody knows how much it needs
    behind its end: where QEMU's -kernel puts the tree, in the middle of RAM or at 128 MB of it."""
def find_place(memory: Any, size: Any, taken: Any, lowest: Any=0) -> Any:
    """An IPA from `lowest` on for a device tree of `size` bytes, 2 MB aligned where possible."""
