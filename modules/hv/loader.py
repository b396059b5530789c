# SPDX-License-Identifier: MIT
"""Puts images into guest RAM: ELF, arm64 Image, flat binaries, also gzip'd or as EFI zboot.

    loaded = loader.load(memory, "hello.elf")
    loaded = loader.linux(memory, "Image", tree, initrd="rd.gz")

A source is a path, an open binary file or a buffer. Headers are checked before guest RAM is
touched, data goes from the source straight into `memory.view(ipa, n)`, and when a source turns out
bad on the way (short, a checksum wrong) what was written is zeroed: after a ValueError there is
nothing to run.
"""

import struct

PIECE = 0x4_0000  # bytes between two calls of `progress`
FLAT_OFFSET = 0x8_0000  # a flat binary's place in RAM: that of QEMU's -kernel
ALIGN = 0x20_0000  # an Image's base (Linux: Documentation/arch/arm64/booting.rst)
PAGE_SIZES = (0x1000, 0x1_0000)  # translation granules of the Cortex-A53: it has no 16 KB
INITRD_REACH = 32 << 30  # from the 1 GB boundary below the kernel (booting.rst)

_OLD_BSS = 0x40_0000
_ZEROS = 0x8000  # written at once
_HEAD = 0x1000  # bytes that identify() looks at

# Recognised in order to say what to do with them: (offset, magic, what it is).
_FOREIGN = (
    (0, b"\xfd7zXZ\0", "xz-compressed: unpack it with xz -d first"),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed: unpack it with zstd -d first"),
    (4, b"1AY&SY", "bzip2-compressed: unpack it with bzip2 -d first"),
    (0, b"\x04\x22\x4d\x18", "lz4-compressed: unpack it with lz4 -d first"),
    (0, b"\x27\x05\x19\x56", "a U-Boot uImage: give the Image that is in it"),
    (0, b"\xd0\x0d\xfe\xed", "a device tree or a FIT image: give the kernel that goes with it"),
    (0, b"070701", "a cpio archive: give it as initrd="),
    (0, b"!<arch>\n", "an ar archive (a .deb?): give the file that is in it"),
    (0x24, b"\x18\x28\x6f\x01", "a 32-bit Arm zImage; guests are AArch64"),
    (0x202, b"HdrS", "an x86 bzImage; guests are AArch64"),
)


class Loaded:
    """What was loaded and where.

    kind        "elf", "image" or "flat"; via: "gzip" or "zboot" if it had to be unpacked, else ""
    entry       IPA to start at
    base, end   IPAs, end exclusive; bss included
    slide       what was added to the addresses of an ELF that is not where it was linked
    page_size, big_endian   what an Image says of itself; 0 where it does not
    dtb, initrd after `linux`: IPA of the device tree; (start, end) or None
    """

    def __init__(self, kind, entry, base, end):
        self.kind = kind
        self.via = ""
        self.entry = entry
        self.base = base
        self.end = end
        self.slide = 0
        self.page_size = 0
        self.big_endian = False
        self.dtb = None
        self.initrd = None

    def __repr__(self):
        text = "<Loaded " + self.kind + (" from " + self.via if self.via else "")
        text += f": {self.base:#x}-{self.end:#x}, entry {self.entry:#x}"
        if self.initrd is not None:
            text += f", initrd {self.initrd[0]:#x}-{self.initrd[1]:#x}"
        if self.dtb is not None:
            text += f", device tree {self.dtb:#x}"
        return text + ">"

    def taken(self):
        """[(base, end)] of RAM that is in use now; see `put_tree`."""
        return [(self.base, self.end)] + ([self.initrd] if self.initrd else [])


def identify(head, size=None):
    """Tell an image by its first bytes (4 KB are plenty) and, if known, its size in bytes.

    "elf", "image" (arm64), "gzip", "zboot", "flat" for what looks like nothing else, or
    "foreign: " and what it is and what to do with it.
    """
    head = bytes(head[:_HEAD])
    if not head or size == 0:
        return "foreign: empty"
    if head[:4] == b"\x7fELF":
        return "elf"
    if head[56:60] == b"ARM\x64":
        return "image"
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:2] == b"MZ" and head[4:8] == b"zimg":
        return "zboot"
    for at, magic, what in _FOREIGN:
        if head[at : at + len(magic)] == magic:
            return "foreign: " + what
    if head[:2] == b"MZ" and b"PE\0\0" in head:
        return "foreign: an EFI application: start it from EDK2"
    return "flat"


def load(memory, source, at=None, entry=None, progress=None, kind=None):
    """Load an image into guest RAM; returns a Loaded.

    at        IPA for its first byte: an ELF's lowest segment, an Image's header, a flat binary
    entry     IPA to start at instead of the image's own entry
    progress  called with (done, total), bytes of the source, after each piece
    kind      "flat": take the bytes as they are, whatever they look like
    """
    from .source import open_source

    source, file = open_source(source)
    try:
        plan = _plan(memory, source, at, entry, kind)
        plan.run(progress)
    finally:
        if file:
            file.close()
    return plan.loaded


def linux(memory, kernel, tree, initrd=None, progress=None, taken=()):
    """Load a kernel, initrd and device tree as arm64's booting.rst wants them; returns a Loaded.

    The kernel is an arm64 Image, also gzip'd or zboot. `tree` is an fdt.Tree; its /chosen gets the
    initrd's place. Start the guest at `entry` with x0 = `dtb`.
    `taken`: [(base, end)] of RAM to leave alone.
    """
    from .source import open_source

    files = []
    try:
        source, file = open_source(kernel)
        files.append(file)
        plan = _plan(memory, source, None, None, None)
        if plan.loaded.kind != "image":
            raise ValueError(
                f"{source.name} is not an arm64 Image (but {plan.loaded.kind}): see load()"
            )
        for start, end in taken:
            if start < plan.loaded.end and plan.loaded.base < end:
                raise ValueError(f"{source.name} needs RAM that is taken, {start:#x}-{end:#x}")
        if initrd is not None:
            source, file = open_source(initrd)
            files.append(file)
            _place_initrd(plan, source, taken)
        _set_initrd(tree, plan.loaded.initrd)
        blob = tree.pack()
        # A kernel that has to be at the base of RAM does not map what is below it.
        lowest = plan.loaded.base if plan.low else memory.base
        plan.loaded.dtb = find_place(memory, len(blob), plan.taken() + list(taken), lowest)
        plan.run(progress)
    finally:
        for file in files:
            if file:
                file.close()
    _write_tree(memory, blob, plan.loaded.dtb, plan.taken() + list(taken))
    return plan.loaded


def put_tree(memory, tree, taken=(), at=None):
    """Write a device tree where `taken`, [(base, end)], leaves room; returns its IPA for x0.

    That is the base of RAM, where U-Boot and EDK2 look for it; if it has to be elsewhere there is
    a copy at the base all the same, if that is free.
    """
    blob = tree.pack()
    if at is None:
        at = find_place(memory, len(blob), taken)
    elif at % 8:
        raise ValueError(f"a device tree at {at:#x}: it has to be 8-byte aligned")
    _check_room(memory, at, len(blob), "the device tree")
    for start, stop in taken:
        if at < stop and start < at + len(blob):
            raise ValueError(f"a device tree at {at:#x}: {start:#x}-{stop:#x} is taken")
    _write_tree(memory, blob, at, taken)
    return at


def place_tree(memory, tree, loaded, at=None):
    """put_tree() for what has been loaded: above it. Of a flat binary nobody knows how much it needs
    behind its end: where QEMU's -kernel puts the tree, in the middle of RAM or at 128 MB of it.
    """
    if at is None:
        size = len(tree.pack())
        lowest = loaded.end
        if loaded.kind == "flat":
            lowest = max(lowest, memory.base + min(memory.size // 2, 128 << 20))
        if memory.base <= loaded.base < memory.base + memory.size:  # else it is in flash
            try:
                at = find_place(memory, size, loaded.taken(), lowest)
            except ValueError:
                pass  # there may be room below it
    return put_tree(memory, tree, loaded.taken(), at)


def find_place(memory, size, taken, lowest=0):
    """An IPA from `lowest` on for a device tree of `size` bytes, 2 MB aligned where possible."""
    end = memory.base + memory.size
    places = [memory.base, _up(lowest, ALIGN)] + sorted([_up(stop, ALIGN) for _, stop in taken])
    for place in places + [(end - size) & -ALIGN, (end - size) & -0x1000]:
        if place >= lowest and _is_free(memory, place, size, taken):
            return place
    raise ValueError(
        f"no room for a device tree of {size} bytes in {_ram(memory)}: give the VM more RAM"
    )


def _write_tree(memory, blob, at, taken):
    _write(memory, at, blob)
    if at != memory.base and _is_free(memory, memory.base, len(blob), taken):
        _write(memory, memory.base, blob)


def _write(memory, ipa, data):
    memory.view(ipa, len(data))[:] = data
    memory.clean(ipa, len(data))


def _is_free(memory, ipa, size, taken):
    if not memory.base <= ipa <= memory.base + memory.size - size:
        return False
    return not any([ipa < stop and start < ipa + size for start, stop in taken])


def _up(value, unit):
    return (value + unit - 1) // unit * unit


def _ram(memory):
    return f"RAM {memory.base:#x}-{memory.base + memory.size:#x}"


def _check_room(memory, ipa, size, what):
    """All of it has to be guest RAM (or flash: whatever the memory object gives a view of)."""
    try:
        if ipa < 0 or size < 0 or (ipa + size) >> 48:
            raise ValueError
        memory.view(ipa, size or 1)
    except (ValueError, OverflowError):
        place = f"{ipa:#x}-{ipa + size:#x}"
        raise ValueError(
            f"{what} at {place} ({size} bytes) is not in the guest's {_ram(memory)}"
        ) from None


class _Plan:
    """Checked work: what is to be copied where, and what it will be known as."""

    def __init__(self, memory, loaded):
        self.memory = memory
        self.loaded = loaded
        self.parts = []
        self.low = False  # an Image that has to be as low in RAM as possible

    def add(self, source, offset, ipa, size, room, what):
        """Copy `size` bytes (None: all there are) to `ipa` and zero the rest of the `room`."""
        _check_room(self.memory, ipa, room, f"{source.name}: {what}")
        self.parts.append((source, offset, ipa, size, room))

    def taken(self):
        return [(ipa, ipa + room) for _, _, ipa, _, room in self.parts]

    def run(self, progress):
        """Read it all into RAM; on any failure zero what was written and raise."""
        meter = _Meter(progress, self.parts)
        written = []
        try:
            for source, offset, ipa, size, room in self.parts:
                written.append([ipa, 0])
                for done in _copy(self.memory, source, offset, ipa, size, room):
                    written[-1][1] = done
                    meter.tick()
                if source.size is not None or self.loaded.kind != "flat":
                    _zero(self.memory, ipa + done, room - done)
                    written[-1][1] = room
                else:  # only now known
                    self.loaded.end = ipa + done
            for source in meter.sources:
                source.finish()
        except BaseException:
            for ipa, size in written:
                _zero(self.memory, ipa, size)
            raise
        for ipa, size in written:
            self.memory.clean(ipa, size)
        meter.end()


class _Meter:
    """Tells `progress` how much of the files has been read."""

    def __init__(self, progress, parts):
        self.progress = progress
        self.sources = []
        self.total = 0
        for source, _, _, size, _ in parts:
            if source.size is not None:
                self.total += size
            if source not in self.sources:
                self.sources.append(source)
                source.seen = source.done
                self.total += source.packed

    def tick(self):
        if self.progress:
            done = sum([source.done - source.seen for source in self.sources])
            self.progress(min(done, self.total), self.total)

    def end(self):
        if self.progress:
            self.progress(self.total, self.total)


def _copy(memory, source, offset, ipa, size, room):
    """Copy in pieces; before each yields how far RAM will be written, at last how far it was."""
    done = 0
    left = room if size is None else size
    yield 0
    while left:
        piece = min(left, PIECE)
        yield done + piece
        got = source.readinto(offset + done, memory.view(ipa + done, piece))
        done += got
        left -= got
        if got < piece:
            if size is not None:
                source.truncated(f"{left} bytes at {offset + done:#x}")
            break
    if size is None and not left and source.readinto(offset + done, bytearray(1)):
        raise ValueError(f"{source.name} unpacks to more than the {room} bytes there is room for")
    yield done


def _zero(memory, ipa, size):
    zeros = bytes(min(size, _ZEROS))
    while size:
        piece = min(size, _ZEROS)
        memory.view(ipa, piece)[:] = zeros if piece == len(zeros) else zeros[:piece]
        ipa += piece
        size -= piece


def _plan(memory, source, at, entry, kind):
    if kind not in (None, "flat"):
        raise ValueError(f"kind={kind!r}: only flat can be asked for, the rest shows")
    source, kind, via = _unwrap(source, kind)
    make = {"elf": _plan_elf, "image": _plan_image, "flat": _plan_flat}[kind]
    plan = make(memory, source, at, entry)
    plan.loaded.via = via
    if plan.loaded.entry % 4:
        raise ValueError(f"{source.name}: its entry {plan.loaded.entry:#x} is not 4-byte aligned")
    _check_room(memory, plan.loaded.entry, 4, f"{source.name}: its entry")
    return plan


def _unwrap(source, kind):
    """(source of what is inside, its kind, what it was in) after taking off gzip and zboot."""
    via = ""
    for _ in range(3):
        found = kind or identify(source.head(_HEAD), source.size)
        if found.startswith("foreign: "):
            raise ValueError(f"{source.name} is {found[9:]}")
        if found == "gzip":
            from .source import Gunzip

            source = Gunzip(source)
        elif found == "zboot":
            source = _zboot(source)
        else:
            return source, found, via
        via = via or found
    raise ValueError(f"{source.name}: compressed more than twice")


def _zboot(source):
    """The payload of an EFI zboot image (Linux: drivers/firmware/efi/libstub/zboot-header.S)."""
    from .source import Part

    start, size, _, _, method = struct.unpack("<IIII8s", source.read(8, 24, "zboot header"))
    method = method.split(b"\0")[0]
    if method != b"gzip":
        raise ValueError(
            f"{source.name}: a zboot image with {method!r}, not gzip: give the Image inside"
        )
    return Part(source, start, size)


def _plan_flat(memory, source, at, entry):
    base = memory.base + FLAT_OFFSET if at is None else at
    size = source.size
    room = max(0, memory.base + memory.size - base) if size is None else size
    plan = _Plan(memory, Loaded("flat", base if entry is None else entry, base, base + room))
    plan.add(source, 0, base, size, room, "the image")
    return plan


def _plan_image(memory, source, at, entry):
    """An arm64 Image (booting.rst, "Call the kernel image"). Its header is little-endian."""
    header = source.read(0, 64, "Image header")
    text_offset, image_size, flags = struct.unpack_from("<QQQ", header, 8)
    if not image_size:
        # Before Linux 3.17, which left text_offset and the size of bss to be guessed.
        if source.size is None:
            raise ValueError(
                f"{source.name}: a kernel from before Linux 3.17 has to be unpacked first"
            )
        text_offset, image_size = FLAT_OFFSET, source.size + _OLD_BSS
    low = not flags & 8
    if at is None:
        at = _up(memory.base, ALIGN) + (0 if low else ALIGN) + text_offset
    elif (at - text_offset) % ALIGN:
        raise ValueError(
            f"{source.name}: an Image goes {text_offset:#x} above a multiple of 2 MB, not {at:#x}"
        )
    if text_offset % 0x1000:
        raise ValueError(f"{source.name}: its text_offset {text_offset:#x} is no multiple of 4 KB")
    _check_pe(source, header)
    room = max(image_size, source.size or 0)
    plan = _Plan(memory, Loaded("image", at if entry is None else entry, at, at + room))
    plan.low = low
    plan.loaded.big_endian = bool(flags & 1)
    plan.loaded.page_size = _page_size(source, flags)
    plan.add(source, 0, at, source.size, room, "the kernel with its bss")
    return plan


def _page_size(source, flags):
    size = (0, 0x1000, 0x4000, 0x1_0000)[flags >> 1 & 3]
    if size and size not in PAGE_SIZES:
        raise ValueError(
            f"{source.name}: a kernel with {size >> 10} KB pages, which this CPU does not have"
        )
    return size


def _check_pe(source, header):
    """An Image with an EFI stub is a PE file too; its section table says how long the file is."""
    at = struct.unpack_from("<I", header, 60)[0]
    if header[:2] != b"MZ" or source.size is None or not 64 <= at < _HEAD:
        return
    pe = source.read(at, 24, "PE header")
    if pe[:4] != b"PE\0\0":
        return
    sections, optional = struct.unpack_from("<H", pe, 6)[0], struct.unpack_from("<H", pe, 20)[0]
    if sections > 16:
        return
    table = source.read(at + 24 + optional, 40 * sections, "PE section table")
    for section in range(sections):
        size, start = struct.unpack_from("<II", table, 40 * section + 16)
        if start + size > source.size:
            source.truncated(f"section of {size} bytes at {start:#x}")


def _place_initrd(plan, source, taken):
    """Behind the kernel, or behind what is taken there."""
    memory, loaded = plan.memory, plan.loaded
    if not source.size:
        raise ValueError(f"{source.name}: the initrd is empty")
    taken = plan.taken() + list(taken)
    last = (loaded.base & -(1 << 30)) + INITRD_REACH - source.size
    for place in sorted([_up(stop, 0x1_0000) for _, stop in taken]):
        if loaded.end <= place <= last and _is_free(memory, place, source.size, taken):
            loaded.initrd = (place, place + source.size)
            plan.add(source, 0, place, source.size, source.size, "the initrd")
            return
    raise ValueError(
        f"{source.name}: an initrd of {source.size} bytes does not fit behind the kernel's end "
        f"{loaded.end:#x} in {_ram(memory)}: give the VM more RAM"
    )


def _set_initrd(tree, initrd):
    from .fdt import u64

    chosen = tree.node("/chosen")
    chosen.discard("linux,initrd-start", "linux,initrd-end")
    if initrd:
        chosen.update(
            (("linux,initrd-start", u64(initrd[0])), ("linux,initrd-end", u64(initrd[1])))
        )


def _plan_elf(memory, source, at, entry):
    """An ELF file by its physical addresses; `at` moves the lowest there and the rest along."""
    from . import elf

    kind, start, segments = elf.read(source)
    low = min([segment.paddr for segment in segments])
    if at is None and kind == elf.ET_DYN and low < ALIGN < memory.base:
        # Position-independent and linked at 0: placed like a flat binary, alignment permitting.
        align = max([min(segment.align or 1, ALIGN) for segment in segments])
        at = _up(memory.base + FLAT_OFFSET, align) + low
    move = 0 if at is None else at - low
    segments.sort(key=lambda segment: segment.paddr)
    base, end = segments[0].paddr + move, segments[-1].end + move
    entry = elf.physical_entry(source, start, segments) + move if entry is None else entry
    plan = _Plan(memory, Loaded("elf", entry, base, end))
    if all([segment.vaddr == segment.paddr for segment in segments]):
        plan.loaded.slide = move  # else its code runs by a map of its own
    segments.sort(key=lambda segment: segment.offset)  # a compressed source goes only forward
    for part in segments:
        plan.add(source, part.offset, part.paddr + move, part.filesz, part.memsz, part.name)
    return plan
