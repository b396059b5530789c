# SPDX-License-Identifier: MIT
"""How the tools talk: progress lines, and the one-line error that ends a run."""

import sys

_open = False  # a status has the terminal's last line


class Stop(Exception):
    """Ends the run. Its text is one line that names the thing and what to do about it."""


def say(text: str) -> None:
    """Prints one progress line at once, also when stdout is a pipe."""
    status_end()
    print(f"elapid: {text}", flush=True)


def progress(what: str, done: int, total: int) -> None:
    """One line of a terminal, over and over; nothing where there is no terminal."""
    if sys.stderr.isatty():
        end = "\n" if done >= total else ""
        print(
            f"\relapid: {what}: {done * 100 // max(total, 1)} %",
            end=end,
            file=sys.stderr,
            flush=True,
        )


def status(text: str) -> None:
    """The same, for what has no known end: status_end(), or what is said next, takes it away."""
    global _open
    if sys.stderr.isatty():
        _open = True
        print(f"\relapid: {text}\x1b[K", end="", file=sys.stderr, flush=True)


def status_end() -> None:
    global _open
    if _open:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        _open = False
