# SPDX-License-Identifier: MIT
"""Files that are there whole, or not at all: written under another name first."""

import os

from .progress import Bar
from .source import open_file


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass


class Whole:
    """with Whole(path) as (file, bar): what is written has the name `path` at the end. Ctrl-C and other exceptions
    leave what was there before.
    """

    def __init__(self, path):
        if not isinstance(path, str):
            raise TypeError(f"a path is a string, not {path!r}")
        self.path, self.part = path, path + ".part"

    def __enter__(self):
        self.file = open_file(self.part, "wb")
        self.bar = Bar(self.path)
        return self.file, self.bar

    def __exit__(self, kind, error, trace):
        self.bar.__exit__()
        try:
            self.file.close()
            if kind is None:
                _remove(self.path)  # FAT renames over nothing
                os.rename(self.part, self.path)
        finally:
            if kind is not None:
                _remove(self.part)
