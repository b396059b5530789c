# SPDX-License-Identifier: MIT
"""The command line's words: what is wrong with one is said in one line, before anything is started for it."""

import argparse
import os
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help tells more\n")


def file(word: str) -> Path:
    """One that is there."""
    if not Path(word).is_file():
        raise argparse.ArgumentTypeError(f"no such file: {word}")
    return Path(word)


def output(word: str) -> Path:
    """One that can be written: nobody wants to hear at the end of an hour's recording that it cannot."""
    path = Path(word)
    if word != "-":
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{word} is a folder")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"{word}: there is no folder {path.parent}")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise argparse.ArgumentTypeError(f"{word} may not be written")
    return path


def count(word: str) -> int:
    """From 1 on."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {word}")
    return int(word)


def port(word: str) -> int:
    if not word.isdecimal() or int(word) > 65535:
        raise argparse.ArgumentTypeError(f"a port is 0, for a free one, to 65535, not {word}")
    return int(word)


def seconds(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = 0
    if not 0 < value < 1e9:  # nan is neither
        raise argparse.ArgumentTypeError(f"seconds, above 0, not {word}")
    return value
