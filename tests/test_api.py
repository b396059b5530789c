# SPDX-License-Identifier: MIT
"""The stubs, docs/api.md and the README's table say what the target has; the examples fit the stubs."""

import ast
import subprocess
import sys

import gen_api
import pytest
from harness import ROOT

# How a script on the target comes by one of each: (stub, class or None, expression).
THINGS = [
    ("_hv", None, "_hv"),
    ("machine", None, "machine"),
    ("hv/mmu", None, "hv.mmu"),
    ("hv/vm", "VM", "vm"),
    ("hv/stage2", "Stage2", "vm.stage2"),
    ("hv/regs", "Register", "hv.regs.S3_7_C15_C15_7"),  # one without fields
    ("hv/virtio", "Device", "vm.virtio(hv.virtio.Device())"),
    ("hv/virtio", "Console", "vm.virtio_console()"),
    ("hv/net", "Switch", "hv.Switch()"),
    ("_hv", "VM", "vm._vm"),
    ("_hv", "VCPU", "vm.cpu[0]"),
    ("_hv", "Registers", "vm.cpu[0].x"),
    ("_hv", "Exit", "vm.cpu[0].exit"),
    ("_hv", "Memory", "vm.memory"),
    ("_hv", "Console", "vm.console"),
    ("_hv", "EL2Registers", "vm.el2"),
    ("_hv", "Rule", "vm.rule('hvc', 1)"),
    ("_hv", "IRQ", "vm.irq(40)"),
    ("_hv", "Virtio", "vm.rng().port"),
    ("machine", "RTC", "machine.RTC()"),
    ("machine", "Timer", "machine.Timer"),
    ("machine", "UART", "machine.UART(0)"),
    ("machine", "RAMDisk", "machine.RAMDisk()"),
    ("machine", "FwCfg", "machine.FwCfg"),
    ("machine", "Signal", "machine.Signal"),
]


def defined(body):
    """The public names that a stub's module or class defines."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield node.targets[0].id
        elif isinstance(node, ast.ImportFrom) and node.module != "typing":
            yield from (alias.asname for alias in node.names if alias.asname)


def stubbed(file, name):
    """The public names of a stub's module, or of a class and those it inherits from."""
    tree = gen_api.parsed(file + ".pyi")
    if name is None:
        found = set(defined(tree.body))
    else:
        cls = next((node for node in tree.body if getattr(node, "name", "") == name), None)
        if cls is None:  # of a module beside it
            return stubbed("hv/traps", name)
        found = set(defined(cls.body))
        for base in cls.bases:
            found |= stubbed(file, base.id)
    return {name for name in found if not name.startswith("_")}


@pytest.fixture(scope="module")
def names(image):
    """What dir() says on the target, by expression."""
    from harness import Target

    with_vm = "import hv, _hv, machine\nvm = hv.VM('api', ram='1M')\n"
    target = Target(gic=3).boot()
    target.exec(with_vm)
    yield lambda expression: {n for n in target.eval(f"dir({expression})") if n[0] != "_"}
    target.close()


@pytest.mark.parametrize("file, cls, expression", THINGS, ids=[f"{f}-{c}" for f, c, _ in THINGS])
def test_stub_is_what_dir_says(names, file, cls, expression):
    stub, real = stubbed(file, cls), names(expression)
    if file == "_hv" and cls is None:  # types of which a script gets objects only
        tree = gen_api.parsed("_hv.pyi")
        stub -= {node.name for node in tree.body if isinstance(node, ast.ClassDef)} - real
    assert stub == real


def test_stub_of_hv(names):
    """Also what is imported only when it is named; dir() need not list what nobody needs to name."""
    assert stubbed("hv/__init__", None) == names("hv") | set(gen_api.BUILT_OF)


def test_generated_files_are_current():
    """Else: python3 tools/gen_api.py"""
    assert gen_api.main(check=True) is False


def mypy(*files):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *files], cwd=ROOT, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_examples_fit_the_stubs():
    status, text = mypy()
    assert status == 0, text


def test_mistakes_are_found(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import hv, machine\n"
        "from hv.regs import HCR_EL2\n"
        "vm = hv.VM(ram=3.5)\n"
        "vm.el3\n"
        "vm.cpu[0].pc = 'start'\n"
        "HCR_EL2.NOPE = 1\n"
        "machine.Pin(1)\n"
        "machine.mem64[0] = 1\n"
    )
    text = mypy(wrong)[1]
    assert [line.split(":")[1] for line in text.splitlines()[:-1]] == ["3", "4", "5", "6", "7"], (
        text
    )


def test_every_name_has_a_line(names):
    """docs/api.md describes what hv offers; the README names it."""
    page = (ROOT / "docs" / "api.md").read_text()
    readme = (ROOT / "README.md").read_text()
    for name in names("hv") - set(gen_api.BUILT_OF):
        assert f"- **`{name}" in page and f" {name}" in readme, name


def test_what_is_named_as_its_module(target):
    """Importing hv.serial makes hv.serial the module, not the function: nothing of ours does, whatever came first."""
    folder = ROOT / "modules/hv"
    (names,) = [
        ast.literal_eval(node.value)
        for node in ast.parse((folder / "__init__.py").read_text()).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_LAZY"
    ]
    same = {name for name, module in names.items() if name == module}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.level and node.module in same), (path, node.lineno)
    target.exec("import hv\nhv.gdb(hv.VM('a', ram='1M'), 1) if len(hv.serial()) > 1 else 0")
    for name in same:
        assert target.eval(f"callable(hv.{name})"), name
