# SPDX-License-Identifier: MIT
"""SECURITY.md says what tests show: those that it names are there, and each line of its tables names one."""

import re

from guestcode import assemble
from harness import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()


def test_every_test_that_is_named_exists():
    named = 0
    for paragraph in re.split(r"\n\n|\n(?=\|)", PAGE):
        file = None
        for path, name in re.findall(r"`(tests/test_\w+\.py)`|`(test_\w+)`", paragraph):
            if path:
                file = (ROOT / path).read_text()
            else:
                assert file, f"{name} without its file"
                assert re.search(rf"^def {name}\b", file, re.M), name
                named += 1
    assert named > 30


def test_every_promise_names_a_test():
    rows = re.findall(r"^\| (.*?) \| (.*?) \| ?(.*?) ?\|$", PAGE, re.M)
    assert len(rows) > 20
    for what, status, shown in rows:
        if status not in ("status",):
            assert re.match(r"supported|trusted guests|not supported", status), what
            assert "tests/test_" in shown or status.startswith("not supported"), what


def test_it_is_linked():
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text()


# EL1 registers that hold whatever is written, and the general and floating-point ones, of pattern x0.
SYSTEM = "tpidr_el1 tpidr_el0 tpidrro_el0 contextidr_el1 sp_el0 elr_el1 far_el1 mair_el1 ttbr0_el1 ttbr1_el1"
FILL = """
    mov x9, #(3 << 20)
    msr cpacr_el1, x9
    isb
    mov x30, x0
"""
FILL += "".join(f" add x{n}, x30, #{n}\n" for n in range(1, 30))
FILL += "".join(f" dup v{n}.2d, x{n % 29 + 1}\n" for n in range(32))
# The low bits of TTBRs and CONTEXTIDR's upper half are not kept by every core: a value of 16 bits, shifted.
FILL += " lsl x29, x30, #16\n and x29, x29, #0xffff0000\n"
FILL += "".join(f" msr {name}, x29\n" for name in SYSTEM.split())
# Each loop looks at them all: x9 and x10 are taken for it, so is sp_el1.
LOOK = "".join(
    f" sub x0, x{n}, #{n}\n cmp x0, x30\n b.ne wrong\n" for n in range(1, 29) if n not in (9, 10)
)
LOOK += "".join(
    f" umov x0, v{n}.d[{half}]\n sub x0, x0, #{n % 29 + 1}\n cmp x0, x30\n b.ne wrong\n"
    for n in range(32)
    for half in (0, 1)
)
LOOK += "".join(f" mrs x0, {name}\n cmp x0, x29\n b.ne wrong\n" for name in SYSTEM.split())
ALONE = f"""{FILL}
    load x10, 20000
1:  {LOOK}
    sub x10, x10, #1
    cbnz x10, 1b
    hvc #1
wrong: hvc #2
"""


def test_a_guest_has_its_registers_for_itself(each_target):
    """Three guests with patterns of their own take turns on one core, and look again and again."""
    each_target.exec(
        f"import hv, time\ncode = {assemble(ALONE)!r}\nvms = []\n"
        "for n in range(3):\n"
        "    vm = hv.VM(f'own{n}', ram='1M', pin=0)\n"
        "    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code\n"
        "    vm.cpu[0].reset(0x4008_0000, 0x1111_0000_1000 * (n + 1))\n"
        "    vms.append(vm)\n"
        "for vm in vms: vm.start()\n"
        "while any([vm.running for vm in vms]): time.sleep_ms(10)\n",
        120,
    )
    assert each_target.eval("[vm.exit.esr & 0xffff for vm in vms]") == [1, 1, 1]


# All of them into memory at x0 + 4096, by a guest that has written none.
FIND = "mov x9, #(3 << 20)\n msr cpacr_el1, x9\n isb\n load x9, 0x40090000\n"
FIND += "".join(f" str x{n}, [x9], #8\n" for n in range(31) if n != 9)
FIND += "".join(f" str q{n}, [x9], #16\n" for n in range(32))
FIND += "".join(f" mrs x0, {name}\n str x0, [x9], #8\n" for name in SYSTEM.split())
FIND += " hvc #1\n"


def test_a_new_guest_finds_nothing(each_target):
    """Neither in registers nor in RAM, when one before has filled both and was closed."""
    each_target.exec(
        f"import hv\nfill, find = {assemble(FILL + ' hvc #1')!r}, {assemble(FIND)!r}\n"
        "def run(code, x0):\n"
        "    vm = hv.VM('new', ram='1M')\n"
        "    vm.memory[0x4008_0000 : 0x4008_0000 + len(code)] = code\n"
        "    vm.cpu[0].reset(0x4008_0000, x0)\n"
        "    assert vm.run(60_000).esr & 0xffff == 1\n"
        "    return vm\n"
        "for turn in range(3):\n"
        "    one = run(fill, 0x1111_0000_1000)\n"
        "    one.memory[0x4009_0000:0x400a_0000] = b'secret..' * 8192\n"
        "    one.close()\n"
        "    two = run(find, 0)\n"
        "    left = two.memory[0x4009_0000:0x400a_0000]\n"
        "    assert left == bytes(len(left)), left[:512]\n"
        "    two.close()\n",
        60,
    )
