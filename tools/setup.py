# SPDX-License-Identifier: MIT
"""Installs what building and running needs: host packages, .venv, MicroPython's source.

tools/setup.py           what everybody needs
tools/setup.py campaign  besides, what `elapid fuzz --dask` needs (requirements-campaign.txt)

Says nothing and touches no network when everything is there. Each step is a module of its own;
an error is one line on stderr and exit status 1.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit("elapid: Python 3.11 or newer is needed, this is " + sys.version.split()[0])

import fcntl
from pathlib import Path

import host
import source
import venv_tools
from elapid.say import Stop

ROOT = Path(__file__).resolve().parent.parent


def main(extras):
    if unknown := set(extras) - set(venv_tools.EXTRAS):
        raise Stop(f"no extra of pyproject.toml: {', '.join(sorted(unknown))}")
    steps = (host, venv_tools, source)
    if all(step.ready(ROOT) for step in steps) and venv_tools.has(ROOT, extras):
        return
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / ".setup.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second make waits, then finds the work done
        for step in steps:
            if not step.ready(ROOT):
                step.install(ROOT)
        venv_tools.install_extras(ROOT, extras)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Stop as stop:
        sys.exit(f"elapid: {stop}")
    except KeyboardInterrupt:
        sys.exit(130)
