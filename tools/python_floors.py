# SPDX-License-Identifier: MIT
"""Python's floors: no two files of a package need each other, directly or by way of others.

What a file imports decides, inside functions as well, and for the sake of types only. hv imports its own files by name
when they are first asked for (hv.__getattr__), which is no import of a file: what hv hands out may use hv. `make check` runs this.
"""

import ast
import sys
from pathlib import Path

from floors import circles

ROOT = Path(__file__).resolve().parent.parent
# Folder -> the package that it is, or "": its files import each other by their names alone.
HOUSES = {
    "modules/hv": "hv",
    "ports/aarch64/modules": "",
    "tools": "",
    "tools/elapid": "elapid",
    "tests": "",
    "tests/fuzz": "",
}


def files(folder, package):
    """Module's name, as imports have it -> its file."""
    found = {}
    for path in sorted(folder.rglob("*.py") if package else folder.glob("*.py")):
        parts = (package, *path.relative_to(folder).with_suffix("").parts)
        found[".".join(part for part in parts if part and part != "__init__")] = path
    return found


def imports(name, path):
    """(module, name out of it or None) of each import in a file, whole."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def arrows(modules):
    """(from, to) of modules."""
    found = set()
    for name, path in modules.items():
        for module, item in imports(name, path):
            to = f"{module}.{item}" if f"{module}.{item}" in modules else module
            if to in modules and to != name:
                found.add((name, to))
    return found


def faults(root=ROOT):
    """What is wrong, a line each."""
    for folder, package in HOUSES.items():
        for circle in circles(sorted(arrows(files(root / folder, package)))):
            yield f"{folder}: a circle: {', '.join(circle)}"


def main():
    found = list(faults())
    print("\n".join(found) or "Python: no circle")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
