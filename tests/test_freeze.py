# SPDX-License-Identifier: MIT
"""What a user freezes into an image of their own, and how modules are packed."""

import shutil
import subprocess

import pytest
from guestcode import run
from harness import MPY_TOP, ROOT, Target, TargetError


@pytest.fixture(scope="module")
def frozen(image, tmp_path_factory):
    """A machine whose image has, besides all else, a user's main.py, a module and a packed one."""
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "manifest.py").write_text(
        'include("$(PORT_DIR)/boards/manifest.py")\n'
        'module("main.py")\nmodule("plain.py")\nmodule("compiled.py")\npackage("parcel")\n'
    )
    (folder / "main.py").write_text("import plain\nprint('main says', plain.WORD)\n")
    (folder / "plain.py").write_text("WORD = 'plain'\n")
    (folder / "compiled.py").write_text(
        "@micropython.viper\ndef triple(n: int) -> int:\n"
        "    s = 0\n    for i in range(3):\n        s += n\n    return s\n"
        "@micropython.native\ndef each(n):\n"
        "    for i in range(n):\n        yield 'item', i, triple(i)\n"
        "@micropython.native\ndef add(a, b):\n"
        "    try:\n        return a + b\n"
        "    except TypeError:\n        return 'no sum'\n"
        "@micropython.viper\ndef peek(cpu, p: ptr32) -> uint:\n    return uint(p[0])\n"
        "@micropython.viper\ndef after(n: int) -> int:\n    return n\n"
    )
    (folder / "parcel").mkdir()
    (folder / "parcel/__init__.py").write_text("from .inner import Inner\n")
    (folder / "parcel/inner.py").write_text(
        "class Inner:\n    big = 1 << 100\n    text = 'packed' * 3\n"
        "    def words(self, *names, sep=1.5):\n"
        "        return [(name, sep, 'e', b'bytes') for name in names]\n"
        "    def fails(self):\n        return 1 / 0\n"
    )
    build = folder / "build"
    shutil.copytree(ROOT / "build/QEMU_VIRT", build)  # so that only what differs is built
    command = [
        *("make", "-s", "-C", ROOT / "ports/aarch64", f"BUILD={build}", "PACK=parcel/*"),
        f"MPY_TOP={MPY_TOP}",
        f"FROZEN_MANIFEST={folder / 'manifest.py'}",
        f"MPY_CROSS={ROOT / 'build/mpy-cross/mpy-cross'}",
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    machine = Target(kernel=build / "firmware.elf").boot()
    yield machine
    machine.close()


def test_main_runs_before_the_prompt(frozen):
    assert "main says plain\n" in frozen.console
    assert "main says plain\n" in frozen.soft_reset()


def test_a_packed_module_is_like_any_other(frozen):
    code = (
        "import gc, parcel\n"
        "gc.collect()\n"
        "inner = parcel.Inner()\n"
        "print(inner.big, inner.text, inner.words('a', sep=2.5), parcel.inner.__name__)\n"
    )
    assert frozen.exec(code) == (
        f"{1 << 100} packedpackedpacked [('a', 2.5, 'e', b'bytes')] parcel.inner\n"
    )
    frozen.exec("inner = __import__('parcel').Inner()")
    frozen.repl("inner = __import__('parcel').Inner()")
    assert 'File "parcel/inner.py", line 7, in fails' in frozen.repl("inner.fails()")
    assert "parcel/inner" in frozen.repl("help('modules')")


def test_every_module_of_the_image_imports(frozen):
    said = frozen.exec(
        "import io, os, sys\n"
        "class Words(io.IOBase):\n"
        "    text = b''\n"
        "    def write(self, data):\n        self.text += bytes(data)\n        return len(data)\n"
        "    def readinto(self, buf):\n        return None\n"
        "words = Words()\n"
        "os.dupterm(words)\nhelp('modules')\nos.dupterm(None)\n"
        "names = [n for n in words.text.decode().split() if '/' in n]\n"
        "for name in names:\n"
        "    __import__(name.replace('/__init__', '').replace('/', '.'))\n"
        "print()\nprint(len(names))\n",
        seconds=60,
    )
    assert int(said.split()[-1]) > 20


def test_frozen_native_code_runs_where_it_is(frozen):
    frozen.exec("import compiled")
    assert frozen.eval("compiled.triple(14)") == 42
    assert frozen.eval("list(compiled.each(2))") == [("item", 0, 0), ("item", 1, 3)]
    assert frozen.eval("(compiled.add(1, 2), compiled.add(1, None))") == (3, "no sum")


def test_a_bad_pointer_in_frozen_code_is_an_exception(frozen):
    """Called by Python, and as the handler of an exit."""
    frozen.exec("import compiled")
    fault = "cannot read 4 bytes at 0x10: translation fault, level 2, in compiled function 'peek'"
    with pytest.raises(TargetError, match=fault):
        frozen.exec("compiled.peek(None, 0x10)")
    script = """
vm = guest(code)
vm.hvc(0xc600_0001, compiled.peek)
vm.cpu[0].x[1] = 0x10
try:
    vm.run()
except hv.Fault as error:
    print(error)
print(hex(vm.cpu[0].pc))
"""
    code = "load x0, 0xc6000001\n hvc #0\n hvc #0x100"
    assert run(frozen, code, script).splitlines() == [fault, "0x40080004"]


# Each is made at run time, so it is looked for among the strings of the image, in its own pool.
INTERNED = """
import hv, machine, micropython
for thing in (hv, hv.VM, machine, micropython, str, dict):
    for name in dir(thing):
        assert getattr(thing, "".join([letter for letter in name]), None) is not None or name in KNOWN, name
    for name in ("nothing of this name", "appen", "appendd", "A" * 60):
        assert not hasattr(thing, name), name
first = "".join(["never", " seen"])
setattr(hv.VM, first, 5)
assert getattr(hv.VM, "".join(["never ", "seen"])) == 5
print(getattr([], "app" + "end").__class__ is getattr([], "".join(["ex", "tend"])).__class__)
""".replace(
    "KNOWN", repr(("__file__", "__path__", "_debugger", "_failed", "_linux", "_symbols", "_wf"))
)


def test_every_string_of_the_image_is_found(frozen, boot):
    assert frozen.exec(INTERNED) == "True\n"
    assert boot().exec(INTERNED) == "True\n"


def test_what_is_frozen_is_found_and_nothing_else(boot):
    code = (
        "import sys\n"
        "sys.path[:] = ['.frozen']\n"
        "for name in 'hv.loader', 'asyncio', 'unittest', '_mounts', 'hv.nothing', 'h', 'hvv', 'asyncio.cor':\n"
        "    try:\n"
        "        print(__import__(name).__name__)\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    names = "hv asyncio unittest _mounts".split()
    missing = ["hv.nothing", "h", "hvv", "asyncio.cor"]
    expected = names + [f"no module named '{name}'" for name in missing]
    assert boot().exec(code).splitlines() == expected
