# SPDX-License-Identifier: MIT
"""vm.watch(): who reads or writes a range of a guest's memory.

A range may be of one byte or of gigabytes, and there may be any number. It is in a debug register of the vCPUs, or its pages
lose the right (loads, stores), each access to them is an exit that is done in C, and those of the range are counted, or told
to a function.
"""

from .traps import number

_RIGHTS = {"r": 1, "w": 2, "rw": 3, "wr": 3}
_ACTIONS = {None: 0, "count": 0, "log": 1, "stop": 2}


def watch(vm, where, size, rights, f, ipa, action):
    if (where is None) == (ipa is None):
        raise TypeError("a watch is of a place of the guest's, or of ipa=")
    if action not in _ACTIONS:
        raise ValueError(f"no action {action!r}: count, log, stop")
    if action and f is not None:
        raise TypeError("a watch has a function or an action=")
    if size is not None and number(size, "size=") < 0:
        raise ValueError(f"a watch is of a byte or more, not of {size}")
    if rights not in _RIGHTS:
        raise ValueError(f"rights to watch are 'r', 'w' or 'rw', not {rights!r}")
    return Watch(vm, where, size, rights, f, ipa, action)


def _size(vm, where, address):
    # Of the symbol's object, from there on.
    from .symbols import extent

    known = extent(vm, where)[1] if isinstance(where, str) else 0
    if known:
        return known
    name = where if isinstance(where, str) else hex(address)
    raise ValueError(f"the size of {name} is not known: size=")


class Watch:
    """A watched range of a guest's memory: hits, on(), off(), remove(). where, address, size, rights: of what."""

    def __init__(self, vm, where, size, rights, f, ipa, action):
        from .symbols import resolve

        self.address: int = resolve(vm, where) if ipa is None else ipa
        self.where: str = (
            f"ipa {ipa:#x}" if where is None else where if isinstance(where, str) else hex(where)
        )
        self.size: int = _size(vm, where, self.address) if size is None else size
        self.rights: str = rights
        self._vm, self._f = vm, f
        self._how = ipa is not None, _ACTIONS[action]
        self._hits = 0
        self._watch = None
        vm._watches += (self,)  # first: what raises leaves nothing that nobody could remove
        try:
            self.on()
        except BaseException:
            self.remove()
            raise

    def __call__(self, f):
        """As a decorator: the function that is called."""
        self.off()
        self._f = f
        self.on()
        return f

    @property
    def hits(self) -> int:
        """How many accesses to it there were."""
        return self._hits + (self._watch.hits if self._watch else 0)

    @property
    def kind(self) -> str:
        """How it is made: "hardware", in one of the vCPUs' own four; "pages", whose accesses are all exits."""
        return "hardware" if self._watch and self._watch.hard else "pages"

    @property
    def rate(self) -> int:
        """Accesses a second that went by on its pages, once they were many: then its page is hot, which is said."""
        return self._watch.rate if self._watch else 0

    def on(self) -> None:
        """Again, after off(): by the guest's tables as they are then."""
        if self._watch is None:
            bits = _RIGHTS[self.rights]
            self._watch = self._vm._vm.watch(self.address, self.size, bits, self._f, *self._how)

    def off(self) -> None:
        """It costs and counts nothing until on()."""
        if self._watch is not None:
            self._hits = self.hits
            self._watch.remove()
            self._watch = None

    def remove(self) -> None:
        """For good."""
        self.off()
        self._vm._watches = tuple([each for each in self._vm._watches if each is not self])

    def __repr__(self):
        off = "" if self._watch else ", off"
        s = "" if self.hits == 1 else "s"
        return f"<Watch {self.rights} {self.where}, {self.size} bytes: {self.hits} hit{s}{off}>"
