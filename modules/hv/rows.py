# SPDX-License-Identifier: MIT
"""Lists that are tables at the prompt, and what is raised where they break off."""

from _hv import Fault

_MOST = 1 << 16


class Broken(Fault):
    """A list in a guest leads nowhere: what does, and where. `rows` are those before."""


class Rows(list):
    """A list of namedtuples of these fields, or of lines; printed it is a table."""

    def __init__(self, fields=None):
        super().__init__()
        self._fields = fields

    def __repr__(self):
        if not self._fields:
            return "\n".join(self)
        lines = [[name.upper() for name in self._fields]]
        lines += [[cell if isinstance(cell, str) else _text(cell) for cell in row] for row in self]
        widths = [max([len(line[n]) for line in lines]) for n in range(len(self._fields) - 1)]
        return "\n".join([_line(line, widths) for line in lines])

    __str__ = __repr__


def _text(cell):
    return "" if cell is None else hex(cell) if isinstance(cell, int) and cell >> 32 else str(cell)


def _line(cells, widths):
    return "  ".join(["{:<{}}".format(cell, n) for cell, n in zip(cells, widths)] + [cells[-1]])


def rows(fields, found):
    """The Rows of what a generator finds."""
    made = Rows(fields)
    try:
        for each in found:
            if len(made) == _MOST:
                raise Fault(f"there is no end to them: {_MOST}")
            made.append(each)
    except Fault as e:
        broken = Broken(f"{e}; what was found before, {len(made)}, is in .rows")
        broken.rows = made
        raise broken from None
    return made
