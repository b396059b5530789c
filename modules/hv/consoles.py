# SPDX-License-Identifier: MIT
"""Several guests' consoles on one."""

import sys
from time import sleep_ms


def consoles(*vms) -> None:
    """Print what these guests print, line by line behind their VMs' names, until none of them runs
    any more. Ctrl-C ends it earlier, and leaves them running.
    """
    for vm in vms:
        if not hasattr(vm, "console"):
            raise TypeError(f"consoles() takes VMs, not {vm!r}")
    begun = [b""] * len(vms)
    going = True
    while going:
        going = any([vm.running for vm in vms])
        for i, vm in enumerate(vms):
            lines = (begun[i] + (vm.console.read() or b"")).split(b"\n")
            begun[i] = lines.pop() if going else b""
            for line in lines:
                if line or going:
                    _show(vm.name, line)
        if going:
            sleep_ms(10)


def _show(name, line):
    # As with attach(): bytes that mpremote would take for its own.
    line = line.rstrip(b"\r").replace(b"\x04", b"^D").replace(b"\x18", b"^X")
    sys.stdout.buffer.write(name.encode() + b": " + line + b"\r\n")
