# SPDX-License-Identifier: MIT
"""How the tools talk: progress lines, and the one-line error that ends a run."""


class Stop(Exception):
    """Ends the run. Its text is one line that names the thing and what to do about it."""


def say(text: str) -> None:
    """Prints one progress line at once, also when stdout is a pipe."""
    print(f"elapid: {text}", flush=True)
