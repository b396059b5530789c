# SPDX-License-Identifier: MIT
"""What a script may write to the registers that keep a guest in its machine, and EL2 on its feet."""

import pytest
from guestcode import run
from harness import TargetError

# Register, bits that are flipped in the value a VM starts with, what the error says.
GUEST_BITS = [
    ("HCR_EL2", 1 << 0, "VM, bit 0, must be 1 while a guest runs: without stage 2"),
    ("HCR_EL2", 1 << 1, "SWIO, bit 1"),
    ("HCR_EL2", 1 << 2, "PTW, bit 2"),
    ("HCR_EL2", 1 << 4, "IMO, bit 4, must be 1: physical interrupts are EL2's"),
    ("HCR_EL2", 1 << 19, "TSC, bit 19, must be 1 while a guest runs: a guest's SMC CPU_ON"),
    ("HCR_EL2", 1 << 22, "TSW, bit 22"),
    ("HCR_EL2", 1 << 27, "TGE, bit 27, must be 0"),
    ("HCR_EL2", 1 << 29, "HCD, bit 29, must be 0"),
    ("HCR_EL2", 1 << 31, "RW, bit 31, must be 1"),
    ("HCR_EL2", 1 << 34, "E2H, bit 34, must be 0"),
    ("CPTR_EL2", 1 << 9, "RES1, bit 0, must be 1023"),
    ("MDCR_EL2", 7, "HPMN, bit 0, must be 6"),
    ("MDCR_EL2", 1 << 9, "TDRA, TDOSA, TDA, bit 9, must be 7"),
    ("MDCR_EL2", 1 << 6, "TPM, TPMCR, bit 5, must be 3"),
    ("VTCR_EL2", 1 << 0, "T0SZ, bit 0, must be 24"),
    ("VTCR_EL2", 1 << 7, "SL0, bit 6, must be 1"),
    ("VTCR_EL2", 1 << 14, "TG0, bit 14, must be 0"),
]


@pytest.mark.parametrize("name, flip, says", GUEST_BITS)
def test_a_vms_own_registers(target, name, flip, says):
    """vm.el2: refused with the reason, unless the script insists."""
    script = f"""
vm = hv.VM("demo", ram="1M")
value = vm.el2[{name!r}] ^ {flip}
try:
    vm.el2[{name!r}] = value
except ValueError as error:
    print(error)
print(vm.el2[{name!r}] == value)
vm.el2.set({name!r}, value, unsafe=True)
print(vm.el2[{name!r}] == value)
"""
    lines = run(target, "", script).splitlines()
    assert lines[0].startswith(f"{name} 0x") and says in lines[0] and "unsafe=True" in lines[0]
    assert lines[1:] == ["False", "True"]


@pytest.mark.parametrize("bit", [13, 14, 15, 17, 18, 23, 25, 26, 28, 30])
def test_free_bits_are_free(target, bit):
    script = f"""
vm = hv.VM("demo", ram="1M")
for n in range(2):
    vm.el2["HCR_EL2"] ^= 1 << {bit}
print("ok")
"""
    assert run(target, "", script) == "ok\n"


def test_what_a_vm_starts_with(target):
    """The values of the manual's and other hypervisors' practice; all pass their own policy."""
    script = """
vm = hv.VM("demo", ram="1M")
print(vm.el2)
for name in ("HCR_EL2", "CPTR_EL2", "MDCR_EL2", "CNTHCTL_EL2", "VTCR_EL2", "HSTR_EL2"):
    vm.el2[name] = vm.el2[name]
"""
    assert run(target, "", script) == (
        "<HCR_EL2 0x8078263f, CPTR_EL2 0x33ff, MDCR_EL2 0xe66, CNTHCTL_EL2 0x1, "
        "VTCR_EL2 0x80023558, HSTR_EL2 0x0>\n"
    )


@pytest.mark.parametrize(
    "statement, says",
    [
        ("HCR_EL2.IMO = 0", "HCR_EL2 0x80000029: IMO, bit 4, must be 1: physical interrupts"),
        ("HCR_EL2.write(0)", "FMO, bit 3"),
        ("HCR_EL2.TGE = 1", "TGE, bit 27, must be 0"),
        ("CPTR_EL2.write(0)", "RES1, bit 0, must be 1023"),
        ("VTCR_EL2.T0SZ = 25", "T0SZ, bit 0, must be 24"),
        ("VTTBR_EL2.write(0)", "VTTBR_EL2: a VM's page tables; vm.stage2 changes them"),
        ("SCTLR_EL2.M = 0", "SCTLR_EL2: EL2's own MMU"),
        ("TTBR0_EL2.write(0)", "TTBR0_EL2: EL2's own page tables; hv.mmu changes them"),
        ("VBAR_EL2.write(0)", "VBAR_EL2: EL2's own vectors"),
        ("TPIDR_EL2.write(0)", "TPIDR_EL2"),
        ("CNTHP_CTL_EL2.write(0)", "EL2's own timer"),
        ("SPSel.write(0)", "SPSel: EL2's own stack pointer"),
        ("ICC_PMR_EL1.write(0)", "ICC_*: EL2's own interrupts"),
        ("ICC_IGRPEN1_EL1.write(0)", "ICC_*"),
        ("ICC_SRE_EL2.write(0)", "ICC_*"),
        ("ICC_IAR1_EL1.read()", "acknowledges an interrupt"),
    ],
)
def test_live_registers_between_guests(target, statement, says):
    """hv.regs: what EL2 itself needs is refused, and the prompt lives on."""
    with pytest.raises(TargetError) as error:
        target.exec("from hv.regs import *\nimport hv.regs\nhv.regs." + statement)
    assert "ValueError: " in error.value.traceback and says in error.value.traceback
    assert target.repl("1 + 1") == "2"


def test_a_script_that_insists_on_a_live_register(target):
    """unsafe=True writes what is refused without it."""
    target.exec("from hv.regs import SCTLR_EL2")
    with pytest.raises(TargetError, match="unsafe=True insists"):
        target.exec("SCTLR_EL2.write(SCTLR_EL2.read() & ~(1 << 12))")
    target.exec("SCTLR_EL2.write(SCTLR_EL2.read() & ~(1 << 12), unsafe=True)")  # the I-cache
    assert target.eval("SCTLR_EL2.I") == 0
    target.exec("SCTLR_EL2.write(SCTLR_EL2.read() | 1 << 12, unsafe=True)")
    assert target.eval("SCTLR_EL2.I") == 1


def test_between_guests_the_rest_is_free(target):
    """HCR_EL2.VM and the like do nothing at EL2; what a guest needs is loaded when it runs."""
    script = """
from hv.regs import HCR_EL2, CPTR_EL2, MDCR_EL2, VTCR_EL2
vm = guest(code)
HCR_EL2.VM = HCR_EL2.TVM = 1
CPTR_EL2.TFP = 1
print(0.5 + 0.25, HCR_EL2.VM)
HCR_EL2.write(0x8000_0038)
MDCR_EL2.write(0)
print(vm.run(60_000).reason)
print(HCR_EL2)
"""
    assert run(target, "hvc #0x100", script).splitlines() == [
        "0.75 1",
        "stop",
        "HCR_EL2 0x80000039 (RW=1 AMO=1 IMO=1 FMO=1 VM=1)",
    ]


def test_in_a_handler_the_guests_policy_holds(target):
    """The live registers are then the guest's; what is to stay is said to vm.el2."""
    code = "    mrs x1, actlr_el1\n    mrs x2, sctlr_el1\n    hvc #0x100"
    script = """
from hv.regs import HCR_EL2, CPTR_EL2
vm = guest(code)
@vm.sysreg("ACTLR_EL1")
def handler(cpu, value):
    print(HCR_EL2.VM, HCR_EL2.read() == vm.el2["HCR_EL2"])
    try:
        HCR_EL2.write(0x8000_0039)
    except ValueError as error:
        print(error)
    HCR_EL2.TRVM = 1
    vm.el2["HCR_EL2"] |= 1 << 30
    print(HCR_EL2.TRVM)
    return 1
vm.sysreg("SCTLR_EL1", lambda cpu, value: 77)
print(vm.run(60_000).reason, vm.cpu[0].x[2])
"""
    lines = run(target, code, script).splitlines()
    assert lines[0] == "1 True"
    assert lines[1].startswith("HCR_EL2 0x80000039: SWIO, bit 1, must be 1 while a guest runs")
    assert lines[2:] == ["1", "stop 77"]


def test_a_guest_cannot_reach_the_firmware(each_target):
    """With HCR_EL2.TSC a guest's SMC CPU_ON is answered here, whatever it asks for."""
    code = """
    load x0, 0xc4000003         // CPU_ON
    mov x1, #1
    load x2, 0x40080000
    mov x3, #0
    smc #0
    mov x20, x0
    hvc #0x100
"""
    script = """
vm = guest(code)
vm.run(60_000)
print(hex(vm.cpu[0].x[20]))
"""
    # INVALID_PARAMETERS: this machine has one core, however many the real one has.
    assert run(each_target, code, script) == "0xfffffffffffffffe\n"
    assert "CPU#1" not in each_target.monitor("info cpus") or each_target.repl("1 + 1") == "2"


EVERY_VALUE = """
import _hv, _regs, time
few = (0, (1 << 64) - 1, 0x5555_5555_5555_5555, 0xAAAA_AAAA_AAAA_AAAA)
for name in _regs.names():
    try:
        old = _hv.mrs(name)
    except Exception:
        old = 0
    said = set()
    for value in few + tuple(old ^ 1 << bit for bit in range(64)):
        try:
            _hv.msr(name, value)
        except (ValueError, hv.Fault) as error:
            said.add(type(error))
    print(name, len(said), end=" ")
time.sleep_ms(1)
print("slept")
"""


@pytest.mark.parametrize("gic, cpu", [(2, "cortex-a53"), (3, "cortex-a53"), (3, "max")])
def test_no_value_of_any_register_takes_the_prompt_away(boot, gic, cpu):
    """Whatever is written without unsafe, to each name of hv.regs: EL2 sleeps and wakes, the prompt
    answers, and a guest runs."""
    target = boot(gic=gic, args=["-cpu", cpu])
    said = target.exec("import hv\n" + EVERY_VALUE, seconds=120)
    assert said.endswith("slept\n") and said.count(" ") > 700, said
    assert target.repl("6 * 7") == "42"
    assert target.exec("hv.demo()", seconds=60)
    assert target.repl("6 * 7") == "42"


@pytest.mark.parametrize(
    "statement",
    [
        "hv.regs.HCR_EL2.write(1 << 63, 'count')",
        "hv.regs.HCR_EL2.write(1 << 63, True)",
        "hv.regs.HCR_EL2.write(1 << 63, unsafe='count')",
        "hv.regs.HCR_EL2.write(1 << 63, unsafe=1)",
        "vm.el2.set('HCR_EL2', 0, True)",
        "vm.el2.set('HCR_EL2', 0, unsafe=[1])",
        "vm.stage2.map(0x9000000, 0x9000000, 4096, 'rw', None, True)",
        "vm.stage2.map(0x9000000, 0x9000000, 4096, unsafe=1)",
        "vm.passthrough(0x9000000, 0x9000000, 4096, None, True)",
        "vm.passthrough(0x9000000, 0x9000000, unsafe='yes')",
        "hv.mmu.unmap(0x40200000, 0x1000, True)",
        "hv.mmu.protect(0x40200000, 0x1000, 'ro', unsafe=2)",
    ],
)
def test_unsafe_is_said_by_name_and_is_true(target, statement):
    """What may end the machine is not reached by one argument too many, nor by any value that is true."""
    target.exec("import hv, hv.regs, hv.mmu\nvm = hv.VM('demo', ram='1M')")
    with pytest.raises(TargetError, match="TypeError"):
        target.exec(statement)
    assert target.repl("6 * 7") == "42"


def test_time_that_a_script_sets_freezes_nothing(target):
    """QEMU 7.2 takes CVAL + CNTVOFF for a deadline, and hangs when that wraps into the past."""
    target.exec("from hv.regs import CNTVOFF_EL2, CNTV_CVAL_EL0, CNTV_CTL_EL0")
    with pytest.raises(TargetError, match="a VM's own time"):
        target.exec("CNTVOFF_EL2.write(1)")
    target.exec("CNTV_CVAL_EL0.write((1 << 64) - 1); CNTV_CTL_EL0.write(1)")
    assert target.repl("6 * 7") == "42"
