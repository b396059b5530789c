# SPDX-License-Identifier: MIT
"""vm.watch(): who reads or writes a range of a guest's memory.

A range may be of one byte or of gigabytes, and there may be any number. Its pages lose the right (loads, stores), each
access to them is an exit that is done in C, and those of the range are counted, or told to a function.
"""

_RIGHTS = {"r": 1, "w": 2, "rw": 3, "wr": 3}


def _size(vm, where, address):
    """Of the symbol's object, from there on."""
    from .symbols import _tables

    for table in _tables(vm) if isinstance(where, str) else ():
        found = table.at(address)
        if found and found[1]:
            return found[0] + found[1] - address
    raise ValueError(
        f"the size of {where if isinstance(where, str) else hex(where)} is not known: size="
    )


class Watch:
    """A watched range of a guest's memory, as vm.watch() makes it.

    address, size, rights: of what. name: how it was asked for.
    """

    def __init__(self, vm, where, size, rights, handler, ipa, stop):
        from .symbols import resolve

        if rights not in _RIGHTS:
            raise ValueError(f"rights to watch are 'r', 'w' or 'rw', not {rights!r}")
        self.address: int = resolve(vm, where)
        self.name: str = where if isinstance(where, str) else hex(where)
        self.size: int = _size(vm, where, self.address) if size is None else size
        self.rights: str = rights
        self._vm = vm
        self._how = ipa, stop
        self._handler = handler
        self._hits = 0
        self._watch = None
        self.on()

    def on(self) -> None:
        """Watch it (again)."""
        if self._watch is None:
            bits = _RIGHTS[self.rights]
            self._watch = self._vm._vm.watch(
                self.address, self.size, bits, self._handler, *self._how
            )

    def off(self) -> None:
        """Do not watch it until on()."""
        if self._watch is not None:
            self._hits = self.hits
            self._watch.remove()
            self._watch = None

    def remove(self) -> None:
        """For good: vm.watches() does not have it any more."""
        self.off()
        self._vm._watches = tuple([each for each in self._vm._watches if each is not self])

    def __call__(self, handler):
        """As a decorator: what is called at each access."""
        self.off()
        self._handler = handler
        self.on()
        return handler

    @property
    def hits(self) -> int:
        """Accesses to it so far."""
        return self._hits + (self._watch.hits if self._watch else 0)

    @property
    def rate(self) -> int:
        """Accesses a second that went by on its pages, when they became many; 0: they have not."""
        return self._watch.rate if self._watch else 0

    def __repr__(self):
        off = "" if self._watch else ", off"
        return f"<Watch {self.rights} of {self.name}, {self.size} bytes at {self.address:#x}: {self.hits} hits{off}>"
