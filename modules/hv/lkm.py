# SPDX-License-Identifier: MIT
"""The modules of a Linux: k.modules()."""

from collections import namedtuple

from .rows import rows

Module = namedtuple("Module", ("name", "size", "address", "state"))
_STATES = ("Live", "Loading", "Unloading", "Unformed")


def modules(k):
    return rows(("name", "size", "address", "state"), _modules(k))


def _modules(k):
    for module in k.each(k["modules"], "struct module", "list"):
        state = module.state
        if state == 3:
            continue  # /proc/modules does not have it either
        try:
            parts = module.mem  # from Linux 6.4 on
        except AttributeError:
            parts = [module.core_layout, module.init_layout]
        size = sum([part.size for part in parts])
        yield Module(module.name, size, int(parts[0].base), _STATES[state & 3])


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
