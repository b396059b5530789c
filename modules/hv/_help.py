# SPDX-License-Identifier: MIT
"""help(thing): what hv._about knows of modules, classes, methods, properties, registers and instances."""

import sys

from ._about import PAGES

_WIDTH = 79
_ALIKE = (int, str, float, bool, tuple, list, dict, bytes, type(None))


def tell(thing, cls=None) -> bool:
    """Print it. Of a method that was taken from an instance or a native class, cls is that class and
    thing may be its name. False: nothing is known."""
    page, name = (
        _method(thing, cls) if cls else _named(thing) if isinstance(thing, str) else _find(thing)
    )
    if not page:
        return False
    title = page[: page.find("\t")]
    if not name:
        if title == "Register" and hasattr(thing, "enc"):
            _tell_register(thing)
        _tell_page(page)
        return True
    for call, text in _entries(page):
        if _plain(call) == name:
            print(f"{title}.{call}\n")
            for part in text.split("\v"):
                _wrapped(part, "    ", "    ")
        elif call.startswith(name + "."):
            _line(call[len(name) + 1 :], text)
    return True


# ---- Find -----------------------------------------------------------------------------------------
# (page, name in it), or (None, None). A page's own name is None.


def _method(thing, cls):
    for cls in _classes(cls):
        page, inside = _find(cls)
        start = len(inside) + 1 if inside else 0
        for call, _ in _entries(page) if page else ():
            name = _plain(call)
            if not inside or name.startswith(inside + "."):
                if name[start:] == thing or getattr(cls, name[start:], None) is thing:
                    return page, name
    return None, None


def _find(thing):
    if isinstance(thing, type(sys)):
        return _named(thing.__name__)
    found = _identical(thing) if type(thing) not in _ALIKE else None
    for cls in _classes(thing if isinstance(thing, type) else type(thing)):
        if not found:
            found = _identical(cls) or _named(
                {"Value": "Register"}.get(cls.__name__, cls.__name__)
            )
            found = found if found[0] else None
    return found or (None, None)


def _identical(thing):
    """Where this very object is found."""
    for page in PAGES:
        title = page[: page.find("\t")]
        place = _reach(sys.modules["hv"], title)
        for name in [_plain(call) for call, _ in _entries(page)] if place else ():
            if _reach(place, name) is thing:
                own = _page(name) if title == "hv" else None
                return (own, None) if own else (page, name)
    return None


def _classes(cls):
    """A class and those it inherits from."""
    yield cls
    for base in getattr(cls, "__bases__", ()):
        yield from _classes(base)


def _named(name):
    """By its name: "VM", "VM.run", "hv.mmu.map", "run"."""
    page = _page(name)
    if page:
        return page, None
    if name[:3] == "hv.":
        found = _named(name[3:])
        if found[0]:
            return found
    head, _, tail = name.rpartition(".")
    for page in PAGES:
        of_page = head and page.startswith(head + "\t")
        for call, _ in _entries(page):
            if _plain(call) in (name, tail if of_page else name):
                return page, _plain(call)
    return None, None


def _page(title):
    for page in PAGES:
        if page.startswith(title + "\t"):
            return page
    return None


def _reach(place, name):
    """What has this name there. Nothing is imported for that, and no property asked."""
    if name in sys.modules or name == "machine":
        return __import__(name) if name == "machine" else sys.modules[name]
    for part in name.split("."):
        if isinstance(place, type(sys)):
            place = place.__dict__.get(part)
        else:
            place = getattr(place, part, None) if isinstance(place, type) else None
    if place is None and name == "Stage2" and "hv.stage2" in sys.modules:
        place = sys.modules["hv.stage2"].Stage2
    return place


def _entries(page):
    for line in page[page.find("\f") + 1 :].split("\n"):
        call, _, text = line.partition("\t")
        if call:
            yield call, text


def _plain(call):
    return call.partition("(")[0]


# ---- Print ----------------------------------------------------------------------------------------


def _tell_page(page):
    head = page[: page.find("\f")].split("\n")
    print(head[0].partition("\t")[2] + "\n")
    for line in head[1:]:
        print(line) if line[:1] in " |" else _wrapped(line, "", "")
    print()
    for call, text in _entries(page):
        if "." not in _plain(call):
            _line(call, text)


def _line(call, text):
    """One of a list: how it is called, without defaults, and the first sentence."""
    name, bracket, arguments = call.partition("(")
    if bracket:
        names = [a.partition("=")[0].strip() for a in arguments[:-1].split(",")]
        name += "(" + ", ".join([a for a in names if a != "*"]) + ")"
    ends = [at for at in (text.find(". "), text.find("; ")) if at > 0]
    text = text[: min(ends)] if ends else text if text[-3:] == "..." else text.rstrip(".")
    _wrapped(f"{name} -- {text}" if text else name, "  ", "      ")


def _wrapped(text, first, more):
    """Print it in lines of at most 79 columns."""
    if text[:1] == " ":
        print(first + text)
        return
    line = first
    for word in text.split(" "):
        if len(line) + len(word) >= _WIDTH and line.strip():
            print(line.rstrip())
            line = more
        line += word + " "
    print(line.rstrip())


def _tell_register(register):
    enc = register.enc
    print(
        register.name,
        register.access,
        "S%d_%d_C%d_C%d_%d" % (enc >> 14, enc >> 11 & 7, enc >> 7 & 15, enc >> 3 & 15, enc & 7),
    )
    fields = sorted([(-high, low, name) for name, (high, low) in register.fields.items()])
    text = [
        f"{name}[{-high}:{low}]" if high + low else f"{name}[{low}]" for high, low, name in fields
    ]
    _wrapped(" ".join(text), "  ", "  ")
    print()
