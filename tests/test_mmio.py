# SPDX-License-Identifier: MIT
"""Loads and stores of every form that reach a device written in Python."""

import re

import pytest
from guestcode import SCRIPT, link

# The device holds these bytes at offset 0x10 on; reads of 8 bytes there give BYTES little-endian.
VALUE = 0x8899AABBCCDDEEF7
MASK = (1 << 64) - 1


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def low(bits, sign=False, wide=True):
    """The device's low `bits` as a register gets them."""
    value = VALUE & ((1 << bits) - 1)
    if sign:
        value = signed(value, bits)
    return value & (MASK if wide else 0xFFFF_FFFF)


# Instruction (x1 = device + 0x10, x2 = 0, w3 = 8), result in x0, (bytes, offset) of each access.
LOADS = [
    ("ldrb w0, [x1]", low(8), [(1, 0x10)]),
    ("ldrsb w0, [x1]", low(8, True, False), [(1, 0x10)]),
    ("ldrsb x0, [x1]", low(8, True), [(1, 0x10)]),
    ("ldrh w0, [x1]", low(16), [(2, 0x10)]),
    ("ldrsh w0, [x1]", low(16, True, False), [(2, 0x10)]),
    ("ldrsh x0, [x1]", low(16, True), [(2, 0x10)]),
    ("ldr w0, [x1]", low(32), [(4, 0x10)]),
    ("ldrsw x0, [x1]", low(32, True), [(4, 0x10)]),
    ("ldr x0, [x1]", low(64), [(8, 0x10)]),
    ("ldur x0, [x1, #-8]", low(64), [(8, 0x08)]),
    ("ldurb w0, [x1, #-3]", low(8), [(1, 0x0D)]),
    ("ldursw x0, [x1, #-4]", low(32, True), [(4, 0x0C)]),
    ("ldtr w0, [x1]", low(32), [(4, 0x10)]),
    ("ldr x0, [x1, x3]", low(64), [(8, 0x18)]),
    ("ldr w0, [x1, w3, uxtw #2]", low(32), [(4, 0x30)]),
    ("ldr x0, [x1, #0x20]", low(64), [(8, 0x30)]),
    ("ldar x0, [x1]", low(64), [(8, 0x10)]),
    ("ldar w0, [x1]", low(32), [(4, 0x10)]),
    ("ldarh w0, [x1]", low(16), [(2, 0x10)]),
    ("ldarb w0, [x1]", low(8), [(1, 0x10)]),
    # Without a valid syndrome: decoded by the hypervisor.
    ("ldr x0, [x1], #0x18", low(64), [(8, 0x10)]),
    ("ldr x0, [x1, #-0x10]!", low(64), [(8, 0x00)]),
    ("ldr w0, [x1], #-4", low(32), [(4, 0x10)]),
    ("ldrb w0, [x1, #1]!", low(8), [(1, 0x11)]),
    ("ldrsb w0, [x1], #1", low(8, True, False), [(1, 0x10)]),
    ("ldrsb x0, [x1, #255]!", low(8, True), [(1, 0x10F)]),
    ("ldrh w0, [x1], #2", low(16), [(2, 0x10)]),
    ("ldrsh x0, [x1, #-2]!", low(16, True), [(2, 0x0E)]),
    ("ldrsh w0, [x1], #2", low(16, True, False), [(2, 0x10)]),
    ("ldrsw x0, [x1], #4", low(32, True), [(4, 0x10)]),
    ("ldp x0, x4, [x1]", low(64), [(8, 0x10), (8, 0x18)]),
    ("ldp w0, w4, [x1, #8]", low(32), [(4, 0x18), (4, 0x1C)]),
    ("ldpsw x0, x4, [x1]", low(32, True), [(4, 0x10), (4, 0x14)]),
    ("ldp x0, x4, [x1], #0x10", low(64), [(8, 0x10), (8, 0x18)]),
    ("ldp x0, x4, [x1, #-0x10]!", low(64), [(8, 0x00), (8, 0x08)]),
    ("ldnp x0, x4, [x1]", low(64), [(8, 0x10), (8, 0x18)]),
    ("ldr x0, [sp], #0x10", low(64), [(8, 0x10)]),
    ("ldp x0, x4, [sp, #-0x10]!", low(64), [(8, 0x00), (8, 0x08)]),
    ("ldp x0, xzr, [x1]", low(64), [(8, 0x10), (8, 0x18)]),
]

# Stores of x0 = VALUE, x4 = ~VALUE: (bytes, offset, value) of each access.
STORES = [
    ("strb w0, [x1]", [(1, 0x10, low(8))]),
    ("strh w0, [x1]", [(2, 0x10, low(16))]),
    ("str w0, [x1]", [(4, 0x10, low(32))]),
    ("str x0, [x1]", [(8, 0x10, VALUE)]),
    ("str xzr, [x1]", [(8, 0x10, 0)]),
    ("str wzr, [x1, #4]", [(4, 0x14, 0)]),
    ("stur x0, [x1, #-8]", [(8, 0x08, VALUE)]),
    ("sttr w0, [x1]", [(4, 0x10, low(32))]),
    ("str w0, [x1, x3]", [(4, 0x18, low(32))]),
    ("stlr x0, [x1]", [(8, 0x10, VALUE)]),
    ("stlrb w0, [x1]", [(1, 0x10, low(8))]),
    ("str x0, [x1], #8", [(8, 0x10, VALUE)]),
    ("str x0, [x1, #-8]!", [(8, 0x08, VALUE)]),
    ("strb w0, [x1], #1", [(1, 0x10, low(8))]),
    ("strh w0, [x1, #2]!", [(2, 0x12, low(16))]),
    ("str wzr, [x1], #4", [(4, 0x10, 0)]),
    ("stp x0, x4, [x1]", [(8, 0x10, VALUE), (8, 0x18, VALUE ^ MASK)]),
    ("stp w0, w4, [x1, #-8]!", [(4, 0x08, low(32)), (4, 0x0C, ~VALUE & 0xFFFF_FFFF)]),
    ("stp xzr, x0, [x1], #0x10", [(8, 0x10, 0), (8, 0x18, VALUE)]),
    ("str x0, [sp, #-0x10]!", [(8, 0x00, VALUE)]),
    ("stnp x0, x4, [x1]", [(8, 0x10, VALUE), (8, 0x18, VALUE ^ MASK)]),
]

# Forms no device takes: an external abort in the guest.
REFUSED = [
    "ldr q0, [x1]",
    "str d0, [x1], #8",
    "ldp q0, q1, [x1]",
    "ldxr x0, [x1]",
    "ld1 {v0.16b}, [x1]",
]

PREPARE = f"""
    load x1, 0x0b000010
    mov x3, #8
    load x0, {VALUE:#x}
    mvn x4, x0
"""


FORMS = [form for form, *_ in LOADS + STORES] + REFUSED

# Runs each form on its own; prints x0, x4, the base register's change and the accesses.
RUN = """
vm = guest(code)
cpu, seen = vm.cpu[0], []
@vm.mmio(0x0b00_0000, 0x1000)
def device(cpu, offset, value):
    seen.append((cpu.exit.size, offset) if value is None else (cpu.exit.size, offset, value))
    return VALUE
for at in starts:
    seen.clear()
    cpu.pc, cpu.sysreg["CPACR_EL1"], cpu.sysreg["ESR_EL1"] = at, 3 << 20, 0
    vm.run(60_000)
    print(cpu.exit.esr >> 26 == 0x16, cpu.x[0], cpu.x[4], cpu.x[1] - 0x0b00_0010, seen, hex(cpu.exit.pc), hex(cpu.sysreg["ESR_EL1"]))
"""


def base_of(form):
    return "sp" if "[sp" in form else "x1"


def write_back(form):
    """What the instruction adds to its base register."""
    found = re.search(r"\], #(-?\w+)$|, #(-?\w+)\]!$", form)
    return int(found[1] or found[2], 0) if found else 0


@pytest.fixture(scope="module")
def results(_each_machine):
    """The line that RUN prints for each form, all run in one guest."""
    source = "    b .\n"
    for number, form in enumerate(FORMS):
        base = "    mov sp, x1\n" if base_of(form) == "sp" else ""
        tell = "    mov x1, sp\n" if base_of(form) == "sp" else ""
        source += f"at{number}:{PREPARE}{base}    {form}\n{tell}    hvc #0x100\n"
    source += "vectors_at: b .\n"
    code, symbols = link(source)
    names = f"code, VALUE = {code!r}, {VALUE}\nstarts = {[symbols[f'at{n}'] for n in range(len(FORMS))]}\n"
    return dict(zip(FORMS, _each_machine.fresh().exec(SCRIPT + names + RUN).splitlines()))


@pytest.mark.parametrize("form, value, accesses", LOADS, ids=[row[0] for row in LOADS])
def test_load(results, form, value, accesses):
    assert results[form].startswith(
        f"True {value} {value if ' x4' in form or ' w4' in form else VALUE ^ MASK} {write_back(form)} {accesses} "
    )


@pytest.mark.parametrize("form, accesses", STORES, ids=[row[0] for row in STORES])
def test_store(results, form, accesses):
    assert results[form].startswith(f"True {VALUE} {VALUE ^ MASK} {write_back(form)} {accesses} ")


@pytest.mark.parametrize("form", REFUSED)
def test_forms_no_device_takes(results, form):
    """A synchronous external abort, as from a bus. VBAR_EL1 is 0 here: the run ends at that fetch."""
    write = 0x40 if form.startswith("st") else 0
    assert results[form].endswith(f"[] 0x200 {0x96000010 | write:#x}"), results[form]
