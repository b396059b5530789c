# SPDX-License-Identifier: MIT
"""Lets the host import the frozen modules that need no hypervisor.

fdt = hostpkg.load("fdt")       # modules/hv/fdt.py as hv.fdt, without running the package itself
"""

import importlib
import sys
import types
import zlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "modules" / "hv"


def load(name):
    """The module hv.<name>."""
    if "hv" not in sys.modules:
        package = types.ModuleType("hv")
        package.__path__ = [str(PACKAGE)]
        sys.modules["hv"] = package
    sys.modules.setdefault("deflate", _deflate())
    return importlib.import_module(f"hv.{name}")


class _DeflateIO:
    """MicroPython's deflate.DeflateIO for reading gzip, with its manners.

    OSError for bad data, EOFError for a stream that ends early.
    """

    def __init__(self, stream, form, wbits):
        assert (form, wbits) == (3, 15)
        self.stream = stream
        self.inflate = zlib.decompressobj(31)

    def readinto(self, dest):
        size = 0
        while size < len(dest) and not self.inflate.eof:
            fresh = self.inflate.unconsumed_tail or self.stream.read(0x1000)
            if not fresh:
                raise EOFError
            try:
                data = self.inflate.decompress(fresh, len(dest) - size)
            except zlib.error:
                raise OSError(22) from None
            dest[size : size + len(data)] = data
            size += len(data)
        return size


def _deflate():
    module = types.ModuleType("deflate")
    module.DeflateIO = _DeflateIO
    module.GZIP = 3
    return module
