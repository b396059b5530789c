# SPDX-License-Identifier: MIT
"""The modules of a Linux: k.modules(), the names of their places, and breakpoints there."""

import struct
from collections import namedtuple

import _hv

from .rows import rows
from .symbols import Table

Module = namedtuple("Module", ("name", "size", "address", "state"))
_STATES = ("Live", "Loading", "Unloading", "Unformed")
_MOST = 512  # modules whose names are known
_LIMIT = 1 << 20  # bytes of the symbols, or the names, of one
_ALL = 8 << 20  # of all of them, nearly
_SYMBOL = 24  # Elf64_Sym


def modules(k):
    return rows(("name", "size", "address", "state"), _modules(k))


def _each(k):
    for module in k.each(k["modules"], "struct module", "list"):
        if module.state != 3:  # /proc/modules does not have those either
            yield module


def _parts(module):
    try:
        return module.mem  # from Linux 6.4 on
    except AttributeError:
        return [module.core_layout, module.init_layout]


def _modules(k):
    for module in _each(k):
        parts = _parts(module)
        size = sum([part.size for part in parts])
        yield Module(module.name, size, int(parts[0].base), _STATES[module.state & 3])


def head(k):
    """The address of the list of them, which has no name in a kernel without KALLSYMS_ALL: its functions use it."""
    mod = k.type("struct module")
    at_list, at_self = mod.offset("list"), mod.offset("mkobj.mod")
    for name in ("find_module_all", "m_start", "find_module"):
        for head in _addresses(k, name):
            try:
                first = k.number(head)
                if k.number(first + 8) != head:
                    continue
                if first == head or k.number(first - at_list + at_self) == first - at_list:
                    return head
            except OSError:
                pass
    raise ValueError(
        f"the list of modules in {k._vm.name} is not found: this kernel has no name for it"
    )


def _addresses(k, name):
    """What ADRP and the ADD or LDR behind it make, in a function (C6.2.10)."""
    from .symbols import extent

    try:
        start, size = extent(k._vm, name)
    except KeyError:
        return
    pages = {}
    for at in range(start, start + min(size, 1024), 4):
        word = k.number(at, 4)
        if word & 0x9F00_0000 == 0x9000_0000:
            pages_away = (word >> 5 & 0x7_FFFF) << 2 | word >> 29 & 3
            pages_away -= (pages_away & 1 << 20) << 1
            pages[word & 31] = (at & -4096) + (pages_away << 12)
        elif word >> 5 & 31 in pages and word & 0xFFC0_0000 in (0x9100_0000, 0xF940_0000):
            scale = 3 if word >> 30 == 3 else 0
            yield pages[word >> 5 & 31] + ((word >> 10 & 0xFFF) << scale)


# -- Their names


class Names:
    """The names of what is in modules, as /proc/kallsyms has them: a Table of hv.symbols. Modules come and go: which there
    are is looked at each time.
    """

    name = ""  # it is said of the kernel what has no name

    def __init__(self, vm):
        self._vm = vm
        self._known = ()
        self._asked = False  # for the list of them, which may have to be found by names
        self._without = None  # the kernel that does not say enough of itself

    def find(self, name):
        for table in self._looked(lambda table: table.find(name) is not None):
            return table.find(name)
        return None

    def at(self, address):
        table = self.of(address)
        return table and table.at(address)

    def near(self, name):
        return [each for table in self._known for each in table.near(name)]

    def of(self, address):
        """The table of the module that an address is in, or None."""
        for table in self._looked(lambda table: table.has(address)) if address >> 63 else ():
            return table
        return None

    def _looked(self, has):
        # First those that were there the last time, if they still are.
        kernel = self._vm.symbols._kernel
        if self._asked or kernel is self._without:
            return ()
        self._asked = True
        try:
            k = self._vm.kernel
            found = [table for table in self._known if has(table)]
            if found and k._held(_is_there, found[0]):
                return found
            self._known = k._held(_named, self._known)
            return [table for table in self._known if has(table)]
        except AttributeError:
            self._known, self._without = (), kernel
        except (KeyError, ValueError, OSError):
            self._known = ()
        finally:
            self._asked = False
        return ()


def _key(module):
    names = module.kallsyms
    if not names:
        return None
    where = int(module), int(_parts(module)[0].base), int(names)
    return where + (int(names.symtab), int(names.strtab), names.num_symtab)


def _is_there(k, table):
    try:
        at = int(table.module.list)
        return k.number(k.number(at) + 8) == at and _key(table.module) == table.key
    except OSError:
        return False  # not even its memory


def _named(k, known):
    found, left = [], _ALL
    for module in _each(k):
        key = _key(module)
        if key is None or len(found) == _MOST or left <= 0:
            continue
        same = [table for table in known if table.key == key]
        table = same[0] if same else _Names(k, module, key)
        left -= sum([len(part) for part in table.parts()[0]])
        found.append(table)
    return found


class _Names(Table):
    """Of one: an ELF file's symbols with the addresses that they have got (struct mod_kallsyms)."""

    def __init__(self, k, module, key):
        self.module, self.key = module, key
        self._ranges = [(int(part.base), part.size) for part in _parts(module)]
        *_, symtab, strtab, count = key
        symbols, end = _copy(k, symtab, _SYMBOL * count), 0
        if symbols:  # the last one's name is the last
            (last,) = struct.unpack_from("<I", symbols, _SYMBOL * (count - 1))
            end = last + 1 + len(k.string(strtab + last, 512))
        # Of the sections it is only how many there may be: those symbols that have no size are in none.
        super().__init__(module.name, (symbols, _copy(k, strtab, end), bytes(0x2000)), 0)

    def has(self, address):
        return any([base <= address < base + size for base, size in self._ranges])


def _copy(k, va, size):
    if not 0 < size <= _LIMIT:
        return b""
    data = memoryview(_hv.Pages(size) if size > 0x8000 else bytearray(size))[:size]
    for at in range(0, size, 4096):
        some = min(4096, size - at)
        data[at : at + some] = k.read(va + at, some)
    return data


# -- Breakpoints there: a module's memory is somebody else's once it is unloaded, and when it is loaded again it is elsewhere


def watch(vm, plant):
    """From now on, when modules come and go, breakpoints in them do. plant(vm, place, f): asks f there."""
    made = []
    # It has come, and none of it has run; what it began with, which is not named any more, or all of it goes.
    for name, f in (("do_init_module", _comes), ("do_free_init", _comes), ("free_module", _goes)):
        try:
            made.append(plant(vm, name, f))
        except KeyError:
            pass  # another version has it otherwise
    return tuple(made)


def _comes(cpu):
    for bp in cpu.vm._breaks:
        bp._find_again()


def _goes(cpu):
    try:
        parts = _parts(cpu.vm.kernel.cast("struct module", cpu.x[0]))
        ranges = [(int(part.base), part.size) for part in parts]
    except (AttributeError, KeyError, ValueError, OSError):
        return
    for bp in cpu.vm._breaks:
        va = bp._at[0] if bp._module else 0
        if any([base <= va < base + size for base, size in ranges]):
            bp._take_out()
