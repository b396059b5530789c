# SPDX-License-Identifier: MIT
"""The floors of hv_native: who may call whom, checked on the objects that were built.

hv_native/floors.txt names the folders from the ground up. A file may use what its own folder or a lower
one defines, and no two files may use each other, directly or by way of others. What the linker would
resolve decides, and what is included: a use that nobody declares is still found. `make check` runs this.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "hv_native"
# What hv_native uses of the port, which stands above it: the exceptions, and why.
OF_THE_PORT = {
    "gc_collect": "MicroPython has each port define it (py/gc.h)",
    "mp_hal_woken": "something that the HAL waits for has come: guests make way for it",
    "stdin_ringbuf": "what is typed, by the name that MicroPython has for it (py/ringbuf.h)",
    "uart_tx_char": "a guest's console is the machine's while it is attached",
    "uart_rx_resume": "and what is typed goes to the guest",
    "uart_rx_unread": "and what it has not read comes back",
    "exec_fault": "a fault in compiled Python is Python's exception",
    "exec_distance": "compiled handlers: where their code runs",
    "native_running": "which compiled handler runs, so that a fault or Ctrl-C ends it",
    "native_stopped": "why it ended",
    "native_raise_stopped": "the exception that it becomes",
    "qstr_find_strn": "MicroPython's (py/qstr.h); the port's own is faster",
    "core_release": "boot/start.S: a core that reset with the boot core waits here",
    "park": "boot/start.S: where a core waits that firmware had in a spin table",
    "secondary_core": "boot/start.S: where the others begin",
}
# One MicroPython module's types and methods name each other, as in every port.
MAY_BE_A_CIRCLE = "python"


def floors():
    """Folder -> its height."""
    names = (NATIVE / "floors.txt").read_text().split()
    return {name: height for height, name in enumerate(names)}


def objects(build):
    """Built objects by the file they are made of, as 'vm/ram'."""
    top = build / "hv_native"
    made = {str(o.relative_to(top).with_suffix("")): o for o in sorted(top.rglob("*.o"))}
    return {
        f: o
        for f, o in made.items()
        if any((NATIVE / f).with_suffix(s).exists() for s in (".c", ".S"))
    }


def symbols(built):
    """(file -> global symbols it defines, file -> those it needs, file -> its static functions)."""
    done = subprocess.run(
        ["aarch64-linux-gnu-nm", "-o", *map(str, built.values())],
        capture_output=True,
        text=True,
        check=True,
    )
    name = {str(path): file for file, path in built.items()}
    defines, needs, statics = ({file: set() for file in built} for _ in range(3))
    for line in done.stdout.splitlines():
        path, _, rest = line.partition(":")
        kind, symbol = rest.split()[-2:]
        if kind == "U":
            needs[name[path]].add(symbol)
        elif kind.isupper():
            defines[name[path]].add(symbol)
        elif kind == "t" and re.fullmatch(r"[a-z]\w*(\.(part|isra|constprop)\.\d+)*", symbol):
            statics[name[path]].add(symbol.split(".")[0])
    return defines, needs, statics


def arrows(defines, needs):
    """(from, to) -> symbols, between files of hv_native."""
    home = {symbol: file for file, all_of_it in defines.items() for symbol in all_of_it}
    found = {}
    for file, wanted in needs.items():
        for symbol in wanted & home.keys():
            found.setdefault((file, home[symbol]), []).append(symbol)
    return found


def of_the_port(build, needs):
    """(file of hv_native, symbol of the port's or of boot/ that it needs)."""
    places = [*build.glob("*.o"), *build.glob("native/*.o"), *build.glob("boot/*.o")]
    above = symbols({str(o): o for o in places if o.name != "frozen_content.o"})[0]
    theirs = set().union(*above.values())
    for file, wanted in sorted(needs.items()):
        for symbol in sorted(wanted & theirs):
            yield file, symbol


def includes():
    """(file, the header of hv_native that it includes)."""
    for path in sorted(p for p in NATIVE.rglob("*") if p.suffix in (".c", ".h", ".S", ".inc")):
        for name in re.findall(r'^\s*#include "([^"]+)"', path.read_text(), re.M):
            if (NATIVE / name).exists():
                yield str(path.relative_to(NATIVE)), name


def twins(statics):
    """Static functions of one name in several files: a backtrace could not tell them apart."""
    homes = {}
    for file, names in statics.items():
        for symbol in names:
            homes.setdefault(symbol, set()).add(file)
    declared = set()  # inline functions of headers, which some files did not inline
    for path in NATIVE.rglob("*.h"):
        declared |= set(re.findall(r"\b(\w+)\(", path.read_text()))
    return {s: sorted(files) for s, files in homes.items() if len(files) > 1 and s not in declared}


def circles(pairs):
    """Sets of files each of which reaches the others (Tarjan's strongly connected components)."""
    after = {}
    for a, b in pairs:
        after.setdefault(a, set()).add(b)
        after.setdefault(b, set())
    order, low, stack, found = {}, {}, [], []

    def visit(v):
        order[v] = low[v] = len(order)
        stack.append(v)
        for w in after[v]:
            if w not in order:
                visit(w)
            if w in stack:
                low[v] = min(low[v], low[w])
        if low[v] == order[v]:
            at = stack.index(v)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for v in after:
        if v not in order:
            visit(v)
    return found


def faults(build):
    """What is wrong with the house, a line each."""
    height = floors()

    def floor(file):
        return height.get(file.split("/")[0], len(height)) if "/" in file else len(height)

    built = objects(build)
    if len(built) < 20:
        yield f"{build} holds no built hv_native: run make"
        return
    for folder in sorted({file.split("/")[0] for file in built if "/" in file} - height.keys()):
        yield f"{folder}/ is not in hv_native/floors.txt"
    defines, needs, statics = symbols(built)
    calls = arrows(defines, needs)
    for (a, b), names in sorted(calls.items()):
        if floor(b) > floor(a):
            yield f"{a} calls up into {b}: {', '.join(sorted(names))}"
    for file, symbol in of_the_port(build, needs):
        if symbol not in OF_THE_PORT:
            yield f"{file} calls up into the port: {symbol}"
    for a, b in includes():
        if floor(b) > floor(a):
            yield f"{a} includes {b} from above"
    for symbol, files in sorted(twins(statics).items()):
        yield f"static {symbol}() in {', '.join(files)}"
    for circle in circles(calls):
        if {file.split("/")[0] for file in circle} != {MAY_BE_A_CIRCLE}:
            yield f"a circle: {', '.join(circle)}"


def main():
    found = list(faults(ROOT / "build" / (sys.argv[1] if len(sys.argv) > 1 else "QEMU_VIRT")))
    print("\n".join(found) or "hv_native: nothing calls up, no circle")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
