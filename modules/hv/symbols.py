# SPDX-License-Identifier: MIT
"""Names and addresses of a guest, both ways: what vm.symbol(), vm.address() and all that takes a place in a guest
use. They come from ELF files that were loaded (System V gABI, chapter 4), from ELF files and System.map's that
vm.symbols.add() was given, and from the tables that a Linux has of its own (kernel/kallsyms.c), in its memory.

Tables stay where they are, in guest memory or in pages beside the heap; _hv.symbols() searches them.
"""

import struct

import _hv

from .note import find as notes

_SHT_SYMTAB, _SHT_DYNSYM = 2, 11
_SECTION = "<IIQQQQIIQQ"
_ALL = (1 << 64) - 1

# Where arm64 kernels are linked, newest first (KIMAGE_VADDR in arch/arm64/include/asm/memory.h).
_LINKED = (
    0xFFFF_8000_8000_0000,
    0xFFFF_8000_0800_0000,
    0xFFFF_8000_1000_0000,
    0xFFFF_FFC0_8000_0000,
    0xFFFF_FFC0_0800_0000,
    0xFFFF_FFC0_1000_0000,
    0xFFFF_0000_0800_0000,
)
_MOST = 1 << 22  # names of a kernel; what says more is no kallsyms


def resolve(vm, where) -> int:
    """The address of a place in a guest: an int as it is, "name", "name+0x10", "name-4".

    KeyError for a name that nothing knows, with names that are nearly it; ValueError when nothing is known at all.
    """
    return extent(vm, where)[0]


def extent(vm, where):
    """(address, size) of a place: of its function or object from there on, 0 where nobody knows how much that is."""
    if isinstance(where, int):
        return where, 0
    if not isinstance(where, str):
        raise TypeError(f"a place is an address or a name, as in 'main+0x10', not {where!r}")
    name, offset = _split(where)
    tables = vm.symbols.tables(True)
    for table in tables:
        value = table.find(name)
        if value is not None:
            value = value + offset & _ALL
            found = table.at(value)
            return value, found[0] + found[1] - value if found and found[1] else 0
    near = []
    for table in tables:
        near += [each for each in table.near(name) if each not in near]
    text = f"; it has {', '.join(near[:3])}" if near else ""
    raise KeyError(f"{_names(tables)} has no symbol {name}{text}")


def at(vm, address: int) -> str:
    """The function or object that an address is in, as "name" or "name+0x10"; KeyError when it is in none."""
    tables = vm.symbols.tables()
    found = place(tables, address)
    if found is None:
        raise KeyError(f"{_names(tables)} has no symbol at {address:#x}")
    return text(found, address)


def place(tables, address):
    """(its address, its size, its name) of what an address is in, by these tables, or None."""
    best = None
    for table in tables:
        if best and not table.name:
            break  # it is the kernel's, and so no module's
        found = table.at(address)
        if found and (best is None or found[0] > best[0]):
            best = found
    return best


def text(found, address):
    """What place() has found, of this address, as text."""
    return found[2] + (f"+{address - found[0]:#x}" if address > found[0] else "")


def _names(tables):
    return ", ".join([table.name for table in tables if table.name])


def _split(where):
    """("name", 0x10) of "name+0x10"."""
    for sign in "+-":
        name, mark, offset = where.rpartition(sign)
        if mark and name:
            try:
                return name, int(sign + offset, 0)
            except ValueError:
                pass  # part of the name
    return where, 0


class Symbols:
    """vm.symbols: where the names of a guest's places come from."""

    def __init__(self, vm):
        self._vm = vm
        self._images = self._loaded = ()
        self._added = []
        self._kernel = None
        self._modules = None  # hv.lkm.Names

    def add(self, source, slide: int = 0) -> None:
        """An ELF file or a System.map (a path, file or buffer; also gzip'd), whose names are known from now on.
        slide: what is added to its addresses, as for a kernel that KASLR has moved.
        """
        self._added.insert(0, _table(source, slide))

    def tables(self, deep: bool = False):
        """All that is known, what is asked first first. deep: look for a kernel in all memory, if need be."""
        vm = self._vm
        if vm._images is not self._images:
            self._loaded = tuple([_table(*image) for image in reversed(vm._images)])
            self._images = vm._images
        if not (self._kernel and self._kernel.valid()):
            self._kernel = _kernel(vm, deep and not self._added and not self._loaded)
        found = self._added + list(self._loaded) + ([self._kernel] if self._kernel else [])
        if not found:
            raise ValueError(
                f"{vm.name} has no symbols: nothing has been loaded that has any, and no running Linux is in its "
                "memory; vm.symbols.add() takes an ELF file or a System.map"
            )
        if self._kernel and self._kernel.note:
            if self._modules is None:
                self._modules = vm._module_names()
            found.append(self._modules)
        return found

    def in_module(self, address) -> bool:
        """Whether it is in a module of the Linux that runs, as far as is known."""
        try:
            names = self.tables()[-1]
        except ValueError:
            return False
        if names is not self._modules or not names or self._kernel.at(address):
            return False
        return names.of(address) is not None

    def kernel(self):
        """The Kallsyms of the Linux that is in its memory, or None. It has a note once that runs."""
        if self._kernel and not self._kernel.noted():
            self._kernel = None  # it was found before it ran, or another one runs now
        try:
            self.tables(True)
        except ValueError:
            return None
        return self._kernel

    def __repr__(self):
        try:
            return f"<Symbols: {_names(self.tables())}>"
        except ValueError:
            return "<Symbols: none>"


class Table:
    """Some names; `slide` is added to the addresses."""

    def __init__(self, name, parts, slide):
        self.name = name
        self._parts = parts
        self._slide = slide

    def parts(self):
        """What _hv.symbols() searches, and what is to be added to its addresses."""
        return self._parts, self._slide

    def find(self, name):
        """The address of a name, or None."""
        parts, slide = self.parts()
        value = _hv.symbols(parts, name)
        return None if value is None else value + slide & _ALL

    def at(self, address):
        """(address, size, name) of what it is in, or None."""
        parts, slide = self.parts()
        found = _hv.symbols(parts, address - slide & _ALL)
        return found and (found[0] + slide & _ALL, found[1], found[2])

    def near(self, name):
        """Up to three names that are nearly it."""
        return _hv.symbols(self.parts()[0], name, True)


# -- Files


def _table(source, slide):
    from .loader import _unwrap
    from .source import Buffer, open_source

    opened, file = open_source(source)
    name = opened.name
    try:
        opened, _, via = _unwrap(opened, None)
        if via:
            opened = Buffer(name, _unpacked(opened))
        if opened.head(4) == b"\x7fELF":
            return Table(name, _elf(opened), slide)
        line = opened.read(0, min(opened.size, 20), "").split(b" ")
        if len(line) < 3 or len(line[0]) != 16 or len(line[1]) != 1:
            raise ValueError(f"{name} has no symbols: it is neither an ELF file nor a System.map")
        return Table(name, (_in_memory(opened, 0, opened.size, name),), slide)
    finally:
        if file:
            file.close()


def _unpacked(source):
    """All of a gzip'd file. Its size is known at its end."""
    source.readinto(1 << 62, b"")
    pages = _hv.Pages(source.at)
    size = source.at
    source.readinto(0, memoryview(pages)[:size])
    return memoryview(pages)[:size]


def _in_memory(source, offset, size, what):
    """A part of a file where it does not burden the heap: what is in memory already stays there."""
    from .source import Buffer

    if source.size is not None and offset + size > source.size:
        source.truncated(f"{what} of {size} bytes at {offset:#x}")
    if isinstance(source, Buffer):
        return source.data[offset : offset + size]
    data = memoryview(_hv.Pages(size) if size > 0x8000 else bytearray(size))[:size]
    if source.readinto(offset, data) < size:
        source.truncated(f"{what} at {offset:#x}")
    return data


def _elf(source):
    """(symbols, their names, section headers) of an ELF64 file; empty ones when it was stripped."""
    head = source.read(0, 64, "ELF header")
    (offset,) = struct.unpack_from("<Q", head, 40)
    size, count = struct.unpack_from("<HH", head, 58)
    if size == 64 and count:
        sections = _in_memory(source, offset, size * count, "section headers")
        for kind in (_SHT_SYMTAB, _SHT_DYNSYM):
            for i in range(count):
                s = struct.unpack_from(_SECTION, sections, i * size)
                if s[1] == kind and s[6] < count:
                    names = struct.unpack_from(_SECTION, sections, s[6] * size)
                    return (
                        _in_memory(source, s[4], s[5], "symbols"),
                        _in_memory(source, names[4], names[5], "symbol names"),
                        sections,
                    )
    return b"", b"", b""


# -- Linux's own


class Kallsyms(Table):
    """What a Linux knows of itself. The numbers are IPAs."""

    name = "its kernel"
    note = None  # what it says of itself, a hv.note.Note
    linux = None  # hv.kernel.Kernel

    def __init__(self, memory, base, count, names, tokens, index, offsets):
        self._memory = memory
        self._base = base
        self._at = count
        self._places = (
            (names, tokens - names),
            (tokens, index - tokens),
            (index, 512),
            (offsets, 4 * self._u32(count)),
        )
        self._count = self._u32(count)
        self._linked = None
        if (
            not 0 < self._count < _MOST
            or not 0 < tokens - names < 64 * _MOST
            or not self._ordered()
        ):
            raise ValueError
        if not self.base() or self.find("_stext") is None:
            raise ValueError

    def _u32(self, ipa):
        return struct.unpack("<I", self._memory[ipa : ipa + 4])[0]

    def _ordered(self):
        """Offsets are in order: a few of them are looked at."""
        first, size = self._places[3]
        step = max(1, size // 4 // 32)
        some = [self._u32(first + 4 * i) for i in range(0, size // 4, step)]
        return some == sorted(some) and some[-1] > some[0]

    def valid(self):
        """Whether it is still there: after a reset, or a kexec, it need not be."""
        return self._u32(self._at) == self._count and self._ordered()

    def noted(self):
        """Whether it has its note, and that is still there."""
        return self.note and self.note.valid()

    def places(self):
        """(IPA, bytes) of kallsyms_names, _token_table, _token_index and _offsets."""
        return self._places

    def parts(self):
        # Views are made for each search: one that was kept would keep the memory of a VM that is closed.
        return tuple([self._memory.view(*each) for each in self._places]), self.base()

    def base(self):
        """kallsyms_relative_base. Before the kernel has relocated itself it may not be there yet, but in the
        entry of .rela.dyn that makes it (ELF for AArch64, R_AARCH64_RELATIVE, 0x403): then where it was linked for.
        """
        memory = self._memory
        (value,) = struct.unpack("<Q", memory[self._base : self._base + 8])
        if value == 0 and self._linked is None:
            self._linked = 0
            start = self._start()
            for link in _LINKED:
                entry = memory.find(struct.pack("<QQ", link + self._base - start, 0x403), start)
                if entry >= 0:
                    (self._linked,) = struct.unpack("<Q", memory[entry + 16 : entry + 24])
                    break
        return value or self._linked

    def ipa(self, va):
        """The IPA of an address in its image, also before it runs, wherever that will be; or None."""
        start = self._start()
        if start <= self._memory.base:
            return None
        (size,) = struct.unpack("<Q", self._memory[start + 16 : start + 24])
        offset = va - (
            self.base() & -0x20_0000
        )  # which may be the first of the names, as far as they are known
        return start + offset if 0 <= offset < size else None

    def _start(self):
        """The IPA of the image: of its header, a few MB below (Documentation/arch/arm64/booting.rst)."""
        at = self._base & -0x20_0000
        while at > self._memory.base and self._memory[at + 56 : at + 60] != b"ARM\x64":
            at -= 0x20_0000
        return at


def _kernel(vm, deep):
    """The Kallsyms of a Linux in a VM's memory, or None."""
    memory = vm.memory
    for note in notes(memory):
        found = _noted(memory, note)
        if found:
            return found
    loaded = vm._linux
    ends = (loaded.base, loaded.end) if loaded else (memory.base, memory.base + memory.size)
    return _searched(memory, *ends) if loaded or deep else None


def _noted(memory, note):
    """By the addresses that the note has since Linux 6.0."""
    keys = "relative_base", "num_syms", "names", "token_table", "token_index", "offsets"
    try:
        offset, places = note.voffset(), [note.symbol("kallsyms_" + key) for key in keys]
        if offset is None or None in places:
            return None
        found = Kallsyms(memory, *[place - offset & _ALL for place in places])
        found.note = note
        return found
    except (ValueError, OverflowError):
        return None


def _searched(memory, start, end):
    """Without: the table of tokens has the digits in a row, and before and behind it are the others."""
    while (digits := memory.find(bytes(_digits()), start, end)) >= 0:
        try:
            found = _around(memory, digits)
            if found:
                return found
        except (ValueError, OverflowError, IndexError, struct.error):
            pass
        start = digits + 1
    return None


def _digits():
    for digit in range(10):
        yield 0x30 + digit
        if digit < 9:
            yield 0


def _around(memory, digits):
    """scripts/kallsyms.c writes, up to Linux 6.3, offsets, relative_base, num_syms, names, markers, token_table,
    token_index; from 6.4 on num_syms, names, markers, token_table, token_index, offsets, relative_base; each
    aligned to 8. Some have seqs_of_names, three bytes for each name, behind the markers: every 256th name's place.
    """
    tail = memory[digits : digits + 0x1000]
    end = 0
    for _ in range(256 - 0x30):
        end = tail.index(b"\0", end) + 1
    index = digits + end + 7 & -8
    places = struct.unpack("<256H", memory[index : index + 512])
    tokens = digits - places[0x30]
    if places[0] or list(places) != sorted(places) or tokens + places[0x31] != digits + 2:
        return None
    for count, names in _counts(memory, tokens):
        if not _marked(memory, count, names, tokens):
            continue
        size = 4 * count + 7 & -8
        for offsets, base in ((index + 512, index + 512 + size), (names - 16 - size, names - 16)):
            try:
                return Kallsyms(memory, base, names - 8, names, tokens, index, offsets)
            except ValueError:
                pass
    return None


def _counts(memory, top):
    """(count, where names would be) of each number below that could be kallsyms_num_syms."""
    while top > memory.base:
        bottom = max(memory.base, top - 0x4000)
        words = struct.unpack(f"<{(top - bottom) // 4}I", memory[bottom:top])
        for i in range(len(words) - 2, -1, -2):
            if not words[i + 1] and 256 < words[i] < _MOST:
                yield words[i], bottom + 4 * i + 8
        top = bottom


def _marked(memory, count, names, tokens):
    """Whether there are markers for so many names, and the second says where the 256th name is."""
    size = 4 * ((count + 255) // 256) + 7 & -8
    for behind in (0, 3 * count + 7 & -8):
        markers = tokens - behind - size
        if markers > names:
            first, second = struct.unpack("<2I", memory[markers : markers + 8])
            if (
                not first
                and 512 < second < 0x8000
                and second == _length(memory[names : names + second], 256)
            ):
                return True
    return False


def _length(names, count):
    """How long so many names are."""
    at_ = 0
    for _ in range(count):
        if at_ + 1 >= len(names):
            return -1
        head = names[at_]
        at_ += 1 + head if head < 0x80 else 2 + (head & 0x7F | names[at_ + 1] << 7)
    return at_
