# SPDX-License-Identifier: MIT
"""The Python API, for editors and for readers, from where it is defined.

python3 tools/gen_api.py            write typings/hv/, docs/api.md, docs/registers.md, modules/hv/_about.py,
                                    and the table in README.md
python3 tools/gen_api.py --check    say what of these is not up to date

The package hv is described by its own docstrings and annotations (modules/hv), registers by their table
(hv_native/core/sysregs.def), what is written in C by typings/_hv.pyi and typings/machine.pyi.
"""

import ast
import re
import sys
from pathlib import Path

import gen_registers

ROOT = Path(__file__).resolve().parent.parent
MODULES, STUBS = ROOT / "modules" / "hv", ROOT / "typings"
ABOUT_PY = MODULES / "_about.py"
LICENCE = "# SPDX-License-Identifier: MIT\n"
MADE = "# Made by tools/gen_api.py from {}.\n"

# What a script gets to see, and where it is described: (title, file, class or None, how one comes by it).
PAGES = (
    ("hv", "hv/__init__.pyi", None, "import hv"),
    ("VM", "hv/vm.pyi", "VM", 'vm = hv.VM("demo", ram="64M", cpus=1)'),
    ("Handlers", "hv/traps.pyi", "Traps", "methods of a VM"),
    ("VCPU", "_hv.pyi", "VCPU", "cpu = vm.cpu[0]"),
    ("Exit", "_hv.pyi", "Exit", "exit = vm.run(), cpu.exit"),
    ("Memory", "_hv.pyi", "Memory", "vm.memory"),
    ("Stage2", "hv/stage2.pyi", "Stage2", "vm.stage2"),
    ("EL2Registers", "_hv.pyi", "EL2Registers", "vm.el2"),
    ("Console", "_hv.pyi", "Console", "vm.console"),
    ("Kernel", "hv/kernel.pyi", "Kernel", "k = vm.kernel"),
    ("Rule", "_hv.pyi", "Rule", "rule = vm.rule(...)"),
    ("Watch", "hv/watch.pyi", "Watch", "w = vm.watch(...)"),
    ("IRQ", "_hv.pyi", "IRQ", "irq = vm.irq(intid)"),
    ("Register", "hv/regs.pyi", "Register", "from hv.regs import HCR_EL2"),
    ("hv.mmu", "hv/mmu.pyi", None, "import hv.mmu"),
    ("hv.virtio", "hv/virtio.pyi", None, "from hv.virtio import Device"),
    ("Request", "_hv.pyi", "Request", "r of request(queue, r)"),
    ("Virtio", "_hv.pyi", "Virtio", "device.port"),
    ("hv.block", "hv/block.pyi", None, "from hv.block import Block"),
    ("hv.net", "hv/net.pyi", None, "from hv.net import Net, Switch"),
    ("Tap", "hv/frames.pyi", "Tap", "tap = lan.tap(f)"),
    ("hv.loader", "hv/loader.pyi", None, "import hv.loader"),
    ("hv.machine_dt", "hv/machine_dt.pyi", None, "import hv.machine_dt"),
    ("hv.fdt", "hv/fdt.pyi", None, "import hv.fdt"),
    ("machine", "machine.pyi", None, "import machine"),
)
# Of these help() has the first sentences only: docs/api.md has the rest.
BRIEFLY = ("hv.loader", "hv.machine_dt", "hv.fdt", "machine")
# What hv is made of, and nobody needs to name.
BUILT_OF = ast.literal_eval(
    re.search(r"_built_of = (\(.*?\))\n", (MODULES / "__init__.py").read_text(), re.S)[1]
)


# ---- Stubs of the package -----------------------------------------------------------------------


def is_public(name):
    return not name.startswith("_") or name in ("__init__", "__enter__", "__exit__")


def doc_of(node):
    """A docstring with its quotes, or nothing."""
    text = (ast.get_docstring(node) or "").replace("\\", "\\\\")
    return text and f'"""{text}{" " * text.endswith(chr(34))}"""'


def indented(text, depth):
    pad = "    " * depth
    return "\n".join(pad + line if line else "" for line in text.split("\n"))


def function(node, depth):
    """A method or function: its arguments, and its docstring instead of what it does."""
    marks = "".join(f"@{ast.unparse(mark)}\n" for mark in node.decorator_list)
    for arg in all_arguments(node.args):
        if arg.annotation is None and arg.arg != "self":
            arg.annotation = ast.Name("Any")
    returns = (
        ast.unparse(node.returns) if node.returns else "None" if node.name == "__init__" else "Any"
    )
    text = doc_of(node)
    head = f"{marks}def {node.name}({ast.unparse(node.args)}) -> {returns}:"
    return indented(head + ("\n" + indented(text, 1) if text else " ..."), depth)


def all_arguments(args):
    ends = [arg for arg in (args.vararg, args.kwarg) if arg]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *ends]


def attributes(body):
    """(name, type, line) of the attributes that __init__ sets."""
    for init in (node for node in body if getattr(node, "name", "") == "__init__"):
        for node in init.body:
            target = getattr(node, "target", None) or getattr(node, "targets", [None])[0]
            if (
                isinstance(target, ast.Attribute)
                and is_public(target.attr)
                and target.value.id == "self"
            ):
                kind = getattr(node, "annotation", None)
                yield target.attr, ast.unparse(kind) if kind else "Any", node.lineno


def a_class(node, lines):
    bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
    parts = [indented(doc_of(node), 1) + "\n"] if doc_of(node) else []
    for name, kind, line in attributes(node.body):
        parts.append(f"    {name}: {kind}")
        if comment := lines[line - 1].partition("  # ")[2]:
            parts.append(f'    """{comment[0].upper()}{comment[1:]}."""')
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and is_public(item.name):
            parts.append(function(item, 1))
        elif isinstance(item, ast.Assign) and is_public(name := item.targets[0].id):
            literal = isinstance(item.value, ast.Constant) and item.value.value is not None
            parts.append(
                f"    {name} = {ast.unparse(item.value)}" if literal else f"    {name}: Any"
            )
    return f"class {node.name}{bases}:\n" + ("\n".join(parts) or "    ...")


def imports(tree):
    """As in the module; what a package offers is offered by its stub too."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            names = (f"{a.name} as {a.asname or a.name}" for a in node.names if is_public(a.name))
            if found := ", ".join(names):
                module = {"umachine": "machine"}.get(node.module, node.module or "")
                yield f"from {'.' * node.level}{module} import {found}"


def constants(node, lines):
    """Of literals and named tuples the value, of others that they are there, and the comment behind."""
    told = isinstance(node.value, ast.Constant) or "namedtuple" in ast.unparse(node.value)
    comment = lines[node.lineno - 1].partition("  # ")[2]
    for name in ast.walk(node.targets[0]):
        if isinstance(name, ast.Name) and is_public(name.id):
            yield f"{name.id} = {ast.unparse(node.value)}" if told else f"{name.id}: object"
            if comment:
                yield f'"""{comment[0].upper()}{comment[1:]}."""'


def stub(path):
    """The stub of one module of the package."""
    source = path.read_text()
    tree, lines = ast.parse(source), source.split("\n")
    parts = [doc_of(tree), "", "from typing import Any", "", *imports(tree)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and is_public(node.name):
            parts.append(function(node, 0))
        elif isinstance(node, ast.ClassDef) and is_public(node.name):
            parts.append("\n" + a_class(node, lines) + "\n")
        elif isinstance(node, ast.Assign):
            parts += constants(node, lines)
    if path.name == "__init__.py":
        parts += lazy(tree)
    return LICENCE + MADE.format(f"modules/hv/{path.name}") + "\n".join(parts).rstrip() + "\n"


def lazy(tree):
    """What hv imports when it is first named: its modules, and names out of them."""
    table = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_LAZY"
    )
    for name, module in table.items():
        if is_public(name):
            yield f"from .{module} import {name} as {name}"
    for path in sorted(MODULES.glob("[a-z]*.py")):
        if path.stem in table:
            continue
        yield f"from . import {path.stem} as {path.stem}"


def stubs():
    """{path: text} of all that is made."""
    made = {
        STUBS / "hv" / f"{path.stem}.pyi": stub(path)
        for path in sorted(MODULES.glob("*.py"))
        if path.stem == "__init__" or path.stem[0] != "_"
    }
    registers = "\n".join(gen_registers.pyi())
    made[STUBS / "hv" / "regs.pyi"] = (
        LICENCE + MADE.format("hv_native/core/sysregs.def") + registers + "\n"
    )
    return made


# ---- For readers --------------------------------------------------------------------------------


def described(body):
    """(name, node, docstring) of what a stub's module or class defines, a name once."""
    seen = set()
    for node, after in zip(body, [*body[1:], None]):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            name, text = node.name, ast.get_docstring(node)
        elif isinstance(node, ast.AnnAssign):
            name, text = node.target.id, None
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                text = after.value.value
        else:
            continue
        if (
            is_public(name)
            and name not in seen
            and (text or not (name.isupper() or name[0] == "_"))
        ):
            seen.add(name)
            yield name, node, re.sub(r"\s*\n\s*", " ", text) if text else ""


def parsed(file):
    return ast.parse((STUBS / file).read_text())


def of_hv():
    """What hv offers, wherever it is from."""
    for node in parsed("hv/__init__.pyi").body:
        if not isinstance(node, ast.ImportFrom) or node.module == "typing":
            continue
        for name in (alias.name for alias in node.names):
            if node.module is None:  # a module of the package
                if name in BUILT_OF:
                    continue
                yield name, None, ast.get_docstring(parsed(f"hv/{name}.pyi")).split("\n\n")[0]
                continue
            file = {"_hv": "_hv.pyi", "machine": "machine.pyi"}.get(
                node.module, f"hv/{node.module}.pyi"
            )
            yield next(entry for entry in described(parsed(file).body) if entry[0] == name)


def page(file, cls):
    """The text that introduces a page, and its entries."""
    if file == "hv/__init__.pyi":
        return ast.get_docstring(parsed(file)), sorted(of_hv(), key=lambda entry: entry[0].lower())
    tree = parsed(file)
    if cls:
        tree = next(node for node in tree.body if getattr(node, "name", "") == cls)
    text = ast.get_docstring(tree) or ""
    if file == "hv/traps.pyi":
        text = ast.get_docstring(parsed(file))
    return text, [entry for entry in described(tree.body) if not entry[0].startswith("__")]


def signature(name, node):
    """As one would call it, without types."""
    if not isinstance(node, ast.FunctionDef) or any(
        ast.unparse(d) == "property" for d in node.decorator_list
    ):
        return name
    for arg in all_arguments(node.args):
        arg.annotation = None
    text = re.sub(r"\bself(, )?|(, )?/|=\.\.\.", "", ast.unparse(node.args)).removeprefix(", ")
    return f"{name}({text})"


def api_page():
    """docs/api.md."""
    yield "# The Python API"
    yield ""
    yield "Made by `tools/gen_api.py` from docstrings and stubs. `help(thing)` at the prompt is the short form;"
    yield "[registers.md](registers.md) lists the system registers and their fields."
    for title, file, cls, how in PAGES:
        text, entries = page(file, cls)
        yield f"\n## {title}\n\n`{how}`\n\n{text}\n"
        for name, node, doc in entries:
            yield f"- **`{signature(name, node)}`** {doc}".rstrip()
            if cls is None and isinstance(node, ast.ClassDef):
                for method, at, doc in described(node.body):
                    if doc and not method.startswith("__"):
                        yield f"  - **`{signature(method, at)}`** {doc}"


def readme_table():
    """The table in README.md: every public name, in a line for each thing."""
    yield "| what | names |"
    yield "|---|---|"
    for title, file, cls, how in PAGES:
        names = ", ".join(name for name, _, _ in page(file, cls)[1])
        yield f"| **{title}** `{how}` | {names} |"


def readme():
    """README.md with the table in its place."""
    text = (ROOT / "README.md").read_text()
    begin, end = "<!-- made by tools/gen_api.py -->\n", "<!-- end -->"
    head, _, rest = text.partition(begin)
    return head + begin + "\n".join(readme_table()) + "\n" + end + rest.partition(end)[2]


ABOUT = (
    LICENCE
    + MADE.format("docstrings and stubs: what modules/hv/_help.py prints")
    + """
# A page: its title, how one comes by it, its text; then a line for each name: how it is called, a tab,
# what it does. Of a class in a module the methods follow it, their names with its own in front.
PAGES = (
%s)
"""
)
# What help() finds besides: objects that a script gets from others.
HELP_PAGES = (*PAGES, ("Registers", "_hv.pyi", "Registers", "cpu.x, cpu.q, cpu.sysreg"))


def about():
    """modules/hv/_about.py: docs/api.md again, for help()."""
    pages = {}
    titles = [title for title, *_ in HELP_PAGES]
    for title, file, cls, how in HELP_PAGES:
        text, entries = page(file, cls)
        name = {"Handlers": "VM"}.get(title, title)
        if name not in pages:
            pages[name] = [f"{name}\t{how}", unwrapped(text) + "\f"]
        else:  # of VM the same text would come twice
            pages[name][1] = (
                pages[name][1][:-1] + "\n\n" + unwrapped(text.partition("\n\n")[2]) + "\f"
            )
        for name_of, node, doc in entries:
            if title == "hv" and node is None:
                doc = long_text(name_of)
            elsewhere = title == "hv" and name_of in titles
            pages[name].append(
                f"{signature(name_of, node)}\t{first(doc) if elsewhere or title in BRIEFLY else doc}"
            )
            if cls is None and isinstance(node, ast.ClassDef) and not elsewhere:
                for method, at, doc in described(node.body):
                    if doc and not method.startswith("__"):
                        doc = first(doc) if title in BRIEFLY else doc
                        pages[name].append(f"{node.name}.{signature(method, at)}\t{doc}")
    texts = ("\n".join(lines).replace("\f\n", "\f") for lines in pages.values())
    return ABOUT.replace("%s", "".join(f"    {quoted(text)},\n" for text in texts))


def unwrapped(text):
    """Paragraphs as lines; what is indented, and lists, stay as they are."""
    return "\n\n".join(
        p if re.search(r"(?m)^ |^\w+(, \w+)*  ", p) else p.replace("\n", " ")
        for p in text.split("\n\n")
    )


def first(text):
    """The first sentence."""
    return text.partition(". ")[0]


def long_text(module):
    """The whole docstring of a module of the package that has no page, else its first paragraph."""
    text = ast.get_docstring(ast.parse((MODULES / f"{module}.py").read_text()))
    if any(title == f"hv.{module}" for title, *_ in HELP_PAGES):
        text = text.split("\n\n")[0]
    return unwrapped(text).replace("\n", "\v")


def quoted(text):
    """As a literal; what is typed at a prompt has quotes of its own."""
    text = (
        text.replace("\\", "\\\\").replace("\t", "\\t").replace("\f", "\\f").replace("\v", "\\v")
    )
    return '"""\\\n' + text + ("\\n" if text.endswith('"') else "") + '"""'


def main(check):
    for path, text in stubs().items():
        if not check:
            path.write_text(text)
    made = stubs() | {
        ROOT / "docs" / "api.md": "\n".join(api_page()) + "\n",
        ROOT / "docs" / "registers.md": "\n".join(gen_registers.markdown()) + "\n",
        ROOT / "README.md": readme(),
        ABOUT_PY: about(),
    }
    old = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    for path in old:
        if check:
            print(f"{path.relative_to(ROOT)} is not up to date: python3 tools/gen_api.py")
        else:
            path.write_text(made[path])
    return bool(old) and check


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
