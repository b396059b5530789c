# SPDX-License-Identifier: MIT
"""What a user freezes into an image of their own, and how modules are packed."""

import shutil
import subprocess

import pytest
from guestcode import run
from harness import MPY_TOP, ROOT, Target, TargetError

# Frozen, its classes are made by the build, as far as that knows what their bodies do (frozen_classes.py).
CLASSES = """\
BASE = 0x40
WORDS = ("a", 1 << 70, b"b", 1.5)
changes = 1
changes = 2


def outside(x):
    return x + BASE


class Plain:
    number, negative, big = 7, -3, 1 << 80
    words, nothing = WORDS, ()

    def __init__(self, first, second=BASE, *rest, third=None, fourth=-1, **more):
        self.all = (first, second, rest, third, fourth, sorted(more))

    def each(self, n=2):
        for i in range(n):
            yield i, self.number

    def inner(self, n):
        return [x * n for x in (1, 2)], (lambda: n)()

    also = each

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, v):
        self._value = outside(v)

    read = property(lambda self: self._value)

    @staticmethod
    def static(a, b=1):
        return a, b

    @classmethod
    def of(cls):
        return cls.__name__

    def fails(self):
        return 1 / 0

    def __repr__(self):
        return "<Plain>"


class Child(Plain):
    number = 8

    def __init__(self, *args):
        Plain.__init__(self, *args, third=3)


class Two(Child, list):
    pass


class WithSetattr(Plain):
    def __setattr__(self, name, value):
        raise AttributeError(name)


class WithSuper(Plain):
    def of_base(self):
        return super().each(1)


class WithState:
    seen, changed = {}, changes


class WithNew:
    def __new__(cls, n):
        return n + 1


class WithClass:
    class Inner:
        pass
"""
PLAIN, NOT_PLAIN = (
    ["Plain", "Child", "Two"],
    ["WithSetattr", "WithSuper", "WithState", "WithNew", "WithClass"],
)
# What is asked of a module with these classes, c: text that does not tell how they were made.
ASKED = """\
def ask(c):
    p = c.Plain(1, 2, 3, fourth=4, x=5)
    child, up = c.Child(1), c.WithSuper(1)
    print(p.all, c.Plain(1).all, child.all, p, str(p), repr(child))
    print(list(p.each()), list(p.also(1)), list(child.each(n=1)), list(up.of_base()), p.inner(3))
    p.value = 2
    print(p.value, p.read, p.static(5), c.Plain.static(5, 6), c.Plain.of(), child.of())
    print(p.number, p.negative, p.big, p.words, p.nothing, c.Plain.number, child.number)
    for wrong in (lambda: c.Plain(), lambda: setattr(p, "read", 1), lambda: p.nothing_such, p.fails,
                  lambda: c.WithSetattr(1), lambda: c.Plain.static()):
        try:
            print(wrong())
        except Exception as error:
            print(type(error).__name__, error)
    print(c.Plain.__name__, c.Plain.__bases__, isinstance(child, c.Plain), issubclass(c.Two, list), c.Plain.__module__)
    print(sorted(dir(c.Plain)), sorted(c.Plain.__dict__), len(c.Plain.__dict__), c.Plain.__qualname__)
    print(c.WithState.seen, c.WithState.changed, c.WithNew(1), c.WithClass.Inner.__name__)
    c.Plain.added, c.Child.number = (lambda self: self.number), 9
    c.Plain.also = 1
    del c.Plain.fails
    print(p.added(), child.added(), child.number, p.also, hasattr(p, "fails"), hasattr(child, "fails"), child.static(1))
    c.BASE = 1
    p.value = p.number = child.value = 2
    two = c.Two([1])
    two.value = two.number = 3
    print(p.value, c.Plain(1).all, p.number, child.value, two.value, two.number, two, sorted(two.__dict__))
    del p.number
    print(p.number, sorted(p.__dict__))
    class More(c.Child):
        number = 10
        def of(self):
            return "more", super().of()
    print(More(1).added(), More(1).of(), sorted(dir(More)) == sorted(dir(c.Child)))
"""


@pytest.fixture(scope="module")
def frozen(image, tmp_path_factory):
    """A machine whose image has, besides all else, a user's main.py, a module and a packed one."""
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "manifest.py").write_text(
        'include("$(PORT_DIR)/boards/manifest.py")\n'
        'module("main.py")\nmodule("plain.py")\nmodule("compiled.py")\nmodule("classes.py")\npackage("parcel")\n'
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
    (folder / "classes.py").write_text(CLASSES)
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
    machine.frozen_content = (build / "frozen_content.c").read_text()
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


def test_classes_made_by_the_build_are_like_others(frozen):
    for name in PLAIN:
        assert f"class_table_classes_{name}[]" in frozen.frozen_content
    for name in NOT_PLAIN:
        assert f"classes.py: class {name} is made at its import" in frozen.frozen_content
    frozen.soft_reset()
    frozen.exec(ASKED)
    said = frozen.exec("import classes\nask(classes)")
    frozen.soft_reset()
    frozen.exec(f"with open('classes.py', 'w') as file:\n    file.write({CLASSES + 'FROM = 1'!r})")
    frozen.exec(ASKED)
    expected = frozen.exec("import classes\nask(classes)\nprint(classes.FROM)")
    assert (said + "1\n", said.count("\n")) == (expected, 17)
    frozen.exec("import os\nos.remove('classes.py')")
    frozen.soft_reset()
    frozen.exec("import classes")
    frozen.repl("import classes")
    assert 'File "classes.py", line 46, in fails' in frozen.repl("classes.Plain(1).fails()")


def test_a_class_made_by_the_build_outlives_its_module(frozen):
    """Its functions find their globals whoever has forgotten the module; a second import makes a second class."""
    frozen.soft_reset()
    code = (
        "import classes, gc, sys\n"
        "method, first = classes.Plain(1).inner, classes.Plain\n"
        "setter = first(1)\n"
        "del sys.modules['classes'], classes\n"
        "for i in range(3):\n    gc.collect()\n    keep = [bytearray(64) for n in range(1000)]\n"
        "setter.value = 1\n"
        "print(setter.value, method(2))\n"
        "import classes\n"
        "print(classes.Plain is first, isinstance(setter, classes.Plain), classes.Plain(1).inner(3))\n"
        "setter.value = 2\n"
        "print(setter.value)\n"
    )
    assert frozen.exec(code) == "65 ([2, 4], 2)\nFalse False ([3, 6], 3)\n66\n"


def test_what_a_launch_needs_is_made_by_the_build(image):
    """A class that is made at its import costs 600 instructions a method, at every start."""
    made = (ROOT / "build/QEMU_VIRT/frozen_content.c").read_text()
    assert " class_table_hv_vm_VM[]" in made and " class_table_hv_traps_Traps[]" in made
    assert "is made at its import" not in made


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
first = "".join(["never", " seen"])
for thing in (hv, hv.VM, machine, micropython, str, dict):
    for name in dir(thing):
        assert getattr(thing, "".join([letter for letter in name]), first) is not first, name
    for name in ("nothing of this name", "appen", "appendd", "A" * 60):
        assert not hasattr(thing, name), name
setattr(hv.VM, first, 5)
assert getattr(hv.VM, "".join(["never ", "seen"])) == 5
print(getattr([], "app" + "end").__class__ is getattr([], "".join(["ex", "tend"])).__class__)
"""


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
