# SPDX-License-Identifier: MIT
"""What a newcomer types, and what comes back: what a thing prints as, and errors that name what was wrong."""

import re
import struct

import pytest
from guestcode import assemble
from harness import ROOT

SETUP = """
import hv, _hv, machine
vm = hv.VM("new", ram="2M")
def f(cpu, *args): return 1
"""


LAST = "hvc #7\n hvc #8"


@pytest.fixture
def target(target):
    target.exec(SETUP)
    return target


@pytest.mark.parametrize(
    "typed",
    [
        "vm.hvc(5, f)",
        "vm.hvc(handler=f, imm=7)",
        "vm.smc(5, f)",
        "vm.sysreg('ACTLR_EL1', f)",
        "vm.mmio(0x1000_0000, 4, f)",
        "vm.exception(0x3C, f)",
        "vm.default(f)",
        "vm.wfi(f)",
        "vm.wfe(f)",
        "vm.trap_el1_exceptions('svc', f)",
    ],
)
def test_a_registration_says_nothing(target, typed):
    """Nor does one again, or its end."""
    for _ in range(1 if "mmio" in typed else 2):
        assert target.repl(typed) == ""
    assert target.repl(re.sub(r"\bf\b", "None", typed)) == ""


def test_decorators_give_the_function_back(target):
    target.exec("@vm.hvc(9)\ndef g(cpu): return 2\nassert callable(g)")


@pytest.mark.parametrize(
    ("typed", "shows"),
    [
        ("vm.rule('hvc', 0xC600_0001)", "<Rule hvc 0xc6000001 count: 0 hits>"),
        ("vm.rule('imm', 5, 'deny')", "<Rule imm 0x5 deny: 0 hits>"),
        ("vm.rule('smc', 5, 'shadow')", "<Rule smc 0x5 shadow: 0 hits>"),
        ("vm.rule('sysreg', 'TTBR0_EL1', 'log', nth=2)", "<Rule sysreg TTBR0_EL1 log: 0 hits>"),
        ("vm.rule('mmio', (0x1000_0000, 8), 'const', 5)", "<Rule mmio 0x10000000 const: 0 hits>"),
        ("r = vm.rule('hvc', 1); r.remove(); r", "<Rule: removed>"),
        ("vm.console", "<Console of new>"),
        ("vm.stage2", "<Stage2 of new: dump() prints it>"),
        ("vm.rng()", "<Rng: Virtio slot 0 of new: status 0x0, features 0x0>"),
        ("vm.rng().port", "<Virtio slot 0 of new: status 0x0, features 0x0>"),
        ("vm.block(65536, True)", "<Block of 65536 bytes read-only: Virtio slot 0 of new"),
        ("hv.block.Block(4096).store", "<Buffer: 4096 bytes>"),
        ("hv.net.Net(hv.Switch(), b'\\2\\0\\0\\0\\0\\1')", "<Net 02:00:00:00:00:01 sent 0"),
        ("hv.Switch()", "<Switch: 0 ports, 0 addresses>"),
        ("hv.virtio.Device()", "<Device: in no VM>"),
        ("_hv.Pages(100)", "<Pages: 4096 bytes>"),
        ("vm.irq(33)", "<IRQ 33 of new: "),
        ("c = vm.console; s = vm.stage2; p = vm.rng(); vm.close(); c", "<Console closed>"),
        ("s = vm.stage2; vm.close(); s", "<Stage2: closed>"),
        ("p = vm.rng(); vm.close(); p", "<Rng: Virtio slot 0 of a closed VM>"),
        ("r = vm.rule('hvc', 1); vm.close(); r", "<Rule: closed>"),
        ("i = vm.irq(33); vm.close(); i", "<IRQ 33: closed>"),
    ],
)
def test_what_things_print_as(target, typed, shows):
    assert target.repl(typed).startswith(shows), target.repl(typed)


def test_nothing_public_prints_as_an_address(target):
    """No `<Rule>`, no `<Stage2 object at 41031e20>`: of every page of the API one thing."""
    from test_help import THINGS

    target.exec("rule, device = vm.rule('hvc', 1), vm.rng()")
    for thing in sorted({thing for thing in THINGS.values() if thing}):
        shown = target.repl(thing)
        assert not re.search(r" object at [0-9a-f]+>|^<\w+>$", shown), (thing, shown)


def test_events_show_addresses_in_hex(target):
    target.exec(
        f"code = {assemble(LAST)!r}\nvm.rule('imm', 7, 'log')\n"
        "vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code\n"
        "vm.cpu[0].reset(0x4008_0000)\nvm.run(60_000)"
    )
    shown = target.repl("e = hv.events(); e")
    assert re.fullmatch(
        r"\[<Event \d+ us: VMID \d+ cpu 0 hvc 0x7 = 0x0 at pc 0x40080000>\]", shown
    )
    assert target.eval("(e[0].pc, e[0].what, len(e[0]))") == (0x4008_0000, "hvc 0x7", 8)


@pytest.mark.parametrize(
    "plug",
    ["vm.block(4096, legacy=True, slot=3)", "vm.net(hv.Switch(), legacy=True, slot=3)"]
    + ["vm.virtio_console(legacy=True, slot=3)", "vm.rng(legacy=True, slot=3)"],
)
def test_every_device_may_be_legacy_and_have_a_slot(target, plug):
    """The version register of virtio-mmio (virtio 1.1, 4.2.2): 1 of a legacy device, else 2."""
    code = "load x0, 0x0a000600\n ldr w1, [x0, #4]\n hvc #1"
    target.exec(f"d = {plug}\ncode = {assemble(code)!r}")
    target.exec("vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code")
    target.exec("vm.cpu[0].reset(0x4008_0000); vm.run(60_000)")
    assert target.eval("(d.port.slot, d.legacy, vm.cpu[0].x[1])") == (3, True, 1)


# ---- Loading --------------------------------------------------------------------------------------

MOVE = struct.pack("<2I", 0xAA00_03E1, 0xD400_0022)  # mov x1, x0; hvc #1


def test_a_flat_binary_has_its_tree_above_it(target):
    """Where QEMU's -kernel has it, and at the base of RAM for those that look there; with a command line."""
    target.exec(
        f"vm = hv.VM('flat', ram='64M')\nloaded = vm.load({MOVE!r}, cmdline='quiet lpj=7')\n"
        "vm.run(60_000)\nfrom hv import fdt\n"
        "def args(at):\n    size = int.from_bytes(vm.memory[at + 4:at + 8], 'big')\n"
        "    return fdt.parse(vm.memory[at:at + size]).get('/chosen')['bootargs']\n"
    )
    x0, base, end = target.eval("(vm.cpu[0].x[1], loaded.base, loaded.end)")
    assert x0 == target.eval("loaded.dtb") == 0x4200_0000 > end
    assert base == 0x4008_0000
    for place in (x0, 0x4000_0000):
        assert b"quiet lpj=7" in target.eval(f"bytes(args({place}))")


@pytest.mark.parametrize(
    ("call", "where"),
    [
        ("vm.load(code, dtb=0x4010_0000)", 0x4010_0000),
        ("vm.load(code, dtb=False)", 0),
        ("vm.load(code, at=0x4010_0000)", 0x4040_0000 - 0x20_0000),
        ("vm.load(code)", 0x4020_0000),
    ],
)
def test_where_the_tree_goes(target, call, where):
    target.exec(f"vm = hv.VM('flat', ram='4M'); code = {MOVE!r}; {call}; vm.run(60_000)")
    assert target.eval("vm.cpu[0].x[1]") == where


def test_a_tree_is_refused_where_it_cannot_be(target):
    code = f"vm.load({MOVE!r}, dtb=%s)"
    assert "8-byte aligned" in target.repl(code % "0x4010_0004")
    assert "is not in the guest's RAM" in target.repl(code % "0x1000")
    assert "is taken" in target.repl(code % "0x4008_0000")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("vm.load('/nothing')", "OSError: [Errno 2] ENOENT: /nothing"),
        ("vm.load('/nothing', at=0x4000_0000)", "OSError: [Errno 2] ENOENT: /nothing"),
        ("vm.load(b'\\x7fELF' + bytes(80))", "ValueError: image"),
        ("vm.load(bytes(16), at=0x7000_0000)", "ValueError: image"),
        ("vm.load(bytes(16), dtb=4)", "ValueError: a device tree at 0x4"),
        ("vm.load(5)", "TypeError: image: not a path"),
        ("vm.linux('/nothing')", "OSError: [Errno 2] ENOENT: /nothing"),
        ("vm.linux(bytes(100))", "ValueError: image is not an arm64 Image (but flat): see load()"),
        ("vm.linux(bytes(100), dtb='/none')", "OSError: [Errno 2] ENOENT: /none"),
    ],
)
@pytest.mark.parametrize("before", ["", f"vm.load({MOVE!r})", f"vm.load({MOVE!r}); vm.run(100)"])
def test_a_failed_load_leaves_nothing_to_start(target, before, call, says):
    target.exec(before)
    assert says in target.repl(call)
    for go in ("vm.run(100)", "vm.start()", "vm.attach()"):
        shown = target.repl(go)
        assert "RuntimeError: new has nothing to run: loading " in shown, shown
    # What a script puts there itself may run, and what is loaded after.
    target.exec(f"vm.memory[0x4008_0000:0x4008_0008] = {MOVE!r}; vm.cpu[0].reset(0x4008_0000)")
    assert "<Exit hvc" in target.repl("vm.run(60_000)")
    target.exec(f"vm.load({MOVE!r})")
    assert "<Exit hvc" in target.repl("vm.run(60_000)")


def test_nothing_is_loaded_into_a_running_vm(target):
    target.exec("vm.load(b'\\0\\0\\0\\x14'); vm.start()")
    for call in ("vm.load(bytes(8))", "vm.load(bytes(8), at=0x4000_0000)", "vm.linux(bytes(99))"):
        assert "RuntimeError: new is running: vm.pause() stops it" in target.repl(call)
    assert target.repl("vm.pause()") == "True"


def test_symbols_both_ways(boot):
    target = boot()
    target.mpremote("cp", ROOT / "build/guests/hello.elf", ":")
    target.exec("import hv\nvm = hv.VM('s')")
    assert "ValueError: s has no symbols: nothing has been loaded" in target.repl("vm.symbol('x')")
    target.exec("vm.load('hello.elf'); at = vm.symbol('_start')")
    assert target.eval("vm.symbol(at)") == "_start"
    assert target.eval("vm.symbol(at + 4)") == "_start+0x4"
    for wrong in ("vm.symbol(0)", "vm.symbol('nothing')"):
        assert "KeyError: hello.elf has no symbol" in target.repl(wrong)


# ---- What an exit was -----------------------------------------------------------------------------


def reasons():
    """Every word that Exit.reason can be (hv_native/python/obj_vcpu.c)."""
    text = (ROOT / "hv_native/python/obj_vcpu.c").read_text()
    text = text[text.index("static qstr trap_reason") : text.index("static void exit_attr")]
    return re.findall(r"return MP_QSTR_(\w+);", text)


def test_every_reason_is_explained_and_documented(target):
    """By its own words, not by the syndrome of an exit before it; those of traps by their syndrome."""
    stub = (ROOT / "typings/_hv.pyi").read_text()
    stub = stub[stub.index("reason: Final") : stub.index("esr: Final")]
    traps = "hvc smc sysreg mmio fetch wfx breakpoint watchpoint step trap".split()
    target.exec(
        "class E:\n    esr = 0x5a000007; pc = 0x40080000; va = ipa = None\n"
        "    def __init__(self, reason): self.reason = reason"
    )
    said = {reason: target.eval(f"hv.explain(E({reason!r}))") for reason in reasons()}
    assert len(said) > len(traps) and len(set(said.values())) == len(said) - len(traps) + 1
    for reason, text in said.items():
        assert f'"{reason}"' in stub, reason
        assert text.endswith("; PC 0x40080000")
        assert ("HVC #0x7" in text) == (reason in [*traps, "stop", "raised"]), text


def test_a_timeout_is_not_the_exit_before_it(target):
    target.exec(
        f"vm.memory[0x4008_0000:0x4008_0008] = {struct.pack('<2I', 0xD400_00E2, 0x1400_0000)!r}"
    )
    target.exec("vm.cpu[0].reset(0x4008_0000)")
    assert "HVC #0x7" in target.repl("hv.explain(vm.run(60_000))")
    target.exec("vm.cpu[0].pc = 0x4008_0004")  # b .
    assert target.repl("hv.explain(vm.run(50))").startswith("'Stopped from outside: time was up")


# ---- Wrong arguments ------------------------------------------------------------------------------

WRONG = {
    # a number that is cut to 64 bits would be another address: 0 of 1 << 70
    "hv.read(1 << 70)": "OverflowError: 0x400000000000000000 has more than 64 bits",
    "hv.mmu.unmap(1 << 70, 4096)": "OverflowError: 0x400000000000000000 has more than 64 bits",
    "hv.mmu.translate(-1 << 70)": "OverflowError: -0x400000000000000000 has more than 64 bits",
    "vm.stage2.map(1 << 70, 0, 4096)": "OverflowError: 0x400000000000000000 has more",
    "vm.stage2.unmap(1 << 64, 4096)": "OverflowError: 0x10000000000000000 has more than 64 bits",
    "vm.passthrough(0xb000000, 1 << 70)": "OverflowError: 0x400000000000000000 has more",
    "vm.flash(1 << 70, 1 << 20)": "OverflowError: 0x400000000000000000 has more than 64 bits",
    "vm.hvc(1 << 70, f)": "OverflowError: 0x400000000000000000 has more than 64 bits",
    "vm.mmio(1 << 70, 4, f)": "OverflowError: 0x400000000000000000 has more than 64 bits",
    "vm.rule('hvc', 1, 'const', 1 << 70)": "OverflowError: 0x400000000000000000 has more",
    "vm.cpu[0].x.__class__ and setattr(vm.cpu[0], 'pc', 1 << 64)": "OverflowError: 0x1000",
    "vm.cpu[0].x[1 << 40]": "IndexError: no register x1099511627776: x0 to x30",
    "exec('vm.cpu[0].q[0] = 1 << 128')": "OverflowError: a q register has 128 bits",
    "vm.run(-1)": "ValueError: timeout_ms is not negative, and not -1",
    "vm.run('5 s')": "TypeError: timeout_ms is an int, not '5 s'",
    "hv.VM(64)": "TypeError: a VM's name is a string, not 64",
    "hv.VM(ram=None)": 'ValueError: a size is bytes or "64K", "64M", "1G", not None',
    "hv.VM(ram=1.5)": 'ValueError: a size is bytes or "64K", "64M", "1G", not 1.5',
    "hv.VM(ram='64X')": 'ValueError: a size is bytes or "64K", "64M", "1G", not \'64X\'',
    "hv.VM(cpus=0)": "ValueError: cpus must be 1 to 8, not 0",
    "vm.load(b'x', at='here')": "TypeError: at= is an int, not 'here'",
    "vm.load(b'x', entry=[])": "TypeError: entry= is an int, not []",
    "vm.load(b'x', dtb='virt.dtb')": "TypeError: dtb= is an int, not 'virt.dtb'",
    "vm.load(b'x', cmdline=None)": "TypeError: cmdline= is a string, not None",
    "vm.virtio('rng')": "TypeError: a virtio device is an hv.virtio.Device, not 'rng'",
    "vm.net('lan')": "TypeError: a network device is on an hv.Switch, not 'lan'",
    "vm.net(hv.Switch(), b'x')": "ValueError: a MAC address is 6 bytes, the first one even, not b'x'",
    "vm.net(hv.Switch(), 'aa:bb')": "ValueError: a MAC address is 6 bytes, the first one even",
    "vm.block(b'x')": "ValueError: a disk is at least 512 bytes, not 1",
    "vm.virtio_console('out')": "TypeError: output= is a function of bytes, not 'out'",
    "vm.stage2.map(0x5000_0000, None, 4096, 7)": "ValueError: rights are letters of rwx, not 7",
    "vm.irq(33).watch(5)": "TypeError: a handler must be callable, not int",
    "vm.hvc(1, 5)": "TypeError: a handler must be callable, not int",
    "vm.wfi('x')": "TypeError: a handler must be callable, not str",
    "vm.trap_el1_exceptions(-1, f)": "ValueError: no class -1: ",
    "vm.rule('mmio', 'x')": "TypeError: an mmio rule is of an IPA or (IPA, bytes), not 'x'",
    "vm.rule('hvc', 1, every='x')": "TypeError: every is an int, not 'x'",
    "vm.rule('hvc', 1, nth=-1)": "ValueError: nth and every of a rule are not negative",
    "hv.explain('esr')": "TypeError: a syndrome is ESR_ELx or an Exit, not 'esr'",
    "hv.consoles(5)": "TypeError: consoles() takes VMs, not 5",
}


@pytest.mark.parametrize("wrong", ["None", "'x'", "1.5", "1 << 64", "0, None"])
def test_a_refused_reset_leaves_the_prompt(target, wrong):
    """Interrupts are on again: without them no key would be read any more."""
    for call in (f"vm.cpu[0].reset({wrong})", f"vm._vm.el1({wrong.split(',')[0]}, 0, f)"):
        target.repl(call)
        assert target.repl("vm.cpu[0].pc") == "0"


@pytest.mark.parametrize("typed", WRONG)
def test_wrong_arguments_are_named(target, typed):
    target.exec("import hv.mmu")
    assert target.repl(typed).splitlines()[-1].startswith(WRONG[typed]), target.repl(typed)


def test_numbers_that_fit_are_taken(target):
    """Negative ones in two's complement, up to 64 bits; of a q register up to 128."""
    target.exec("c = vm.cpu[0]")
    target.exec("c.x[1] = (1 << 64) + 5")  # a sum wraps as in a register
    assert target.eval("c.x[1]") == 5
    for number in (0, 1, -1, 1 << 62, -(1 << 62), 1 << 63, (1 << 64) - 1, -(1 << 63)):
        target.exec(f"c.x[0] = {number}; c.q[0] = {number}")
        assert target.eval("c.x[0]") == number % (1 << 64)
        assert target.eval("c.q[0]") == number % (1 << 128)
    target.exec("c.q[1] = (1 << 128) - 1")
    assert target.eval("c.q[1]") == (1 << 128) - 1


CLOSED = (
    "run(1) start() reset() load(b'x') linux(b'x') irq(33) block(4096) net(hv.Switch()) rng() virtio_console() "
    "flash(0,1<<20) hvc(1,f) smc(1,f) sysreg('ACTLR_EL1',f) mmio(0x1000_0000,4,f) exception(1,f) default(f) wfi(f) "
    "wfe(f) trap_el1_exceptions('svc',f) rule('hvc',1) attach() pause() running stop_time device_tree() "
    "memory[0x4000_0000] el2['HCR_EL2'] console.read() cpu[0].pc cpu[0].x[0] cpu[0].exit stage2.dump() "
    "stage2.map(0x5000_0000,None,4096) passthrough(0xb00_0000,0x901_0000) memory.view(0x4000_0000,8)"
).split()


def test_a_closed_vm_says_so(target):
    """Whatever is asked of it."""
    target.exec("vm.close()")
    for what in CLOSED:
        shown = target.repl(f"vm.{what}")
        assert re.search("ValueError: .* has been closed", shown), (what, shown)
