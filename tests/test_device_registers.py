# SPDX-License-Identifier: MIT
"""Short ways and long ways to a register are one: every offset, width and direction of the GIC, PL011, PL031,
flash and virtio-mmio, by each way that an access can take through EL2, gives the same values, the same aborts
and the same state. What lies beside the registers in EL2's memory is as it was."""

import pytest
from guestcode import run

# How an access comes: bit 0, another device was accessed before, so that nothing is known of this one; 2:1,
# plain, by a register that EL2 does not save on its short ways, or with a syndrome that says nothing
# (post-indexed). 0 is the shortest.
WAYS = {
    0: "plain",
    1: "plain, another device before",
    2: "by x25",
    3: "by x25, another device before",
    4: "post-indexed",
}

# From offset x20 to x21 of the device at x19: stores of 1, 2, 4 and 8 bytes, then loads. x22 gets, for each
# offset, a CRC of the values and of the syndromes, and a bit for each of the 8 that aborted. x23 is the way,
# x24 a register of the same device without side effects, x27 one of another. x18: what to leave out, a bit each.
SWEEP = """
    adr x9, table
    msr vbar_el1, x9
    adr x9, level1
    stage1_on x9, x1, 0x2b5193519, 0xff     // devices are Normal memory: unaligned accesses reach EL2
    load x12, 0x9E3779B97F4A7C15
    lsr x13, x23, #1
    lsl x13, x13, #3        // the first stub of 8
next:
    cmp x20, x21
    b.hs done
    mov w9, #0
    mov w10, #0
    mov x11, #0
one:
    lsr w1, w18, w11
    tbnz w1, #0, after
    ldr w3, [x24]
    tbz x23, #0, 1f
    ldr w3, [x27]
1:  add x15, x19, x20
    mov x1, x15
    lsl x2, x20, #3
    add x2, x2, x11
    add x2, x2, #1
    mul x2, x2, x12
    eor x2, x2, x2, lsr #29
    mov x25, x2
    mov x26, #0
    mov x28, #0
    add x4, x13, x11
    adr x3, stubs
    add x3, x3, x4, lsl #4
    blr x3
    crc32cx w9, w9, x2
    crc32cx w9, w9, x26
    cbz x26, after
    sub x28, x28, x15
    crc32cx w9, w9, x28
    mov w1, #1
    lsl w1, w1, w11
    orr w10, w10, w1
after:
    add x11, x11, #1
    cmp x11, #8
    b.ne one
    stp w9, w10, [x22], #8
    add x20, x20, #1
    b next
done:
    hvc #0x100
.macro stub instruction, after
    .balign 16
    \\instruction
    \\after
    ret
.endm
    .balign 16
stubs:
    stub "strb w2, [x1]", nop
    stub "strh w2, [x1]", nop
    stub "str w2, [x1]", nop
    stub "str x2, [x1]", nop
    stub "ldrb w2, [x1]", nop
    stub "ldrh w2, [x1]", nop
    stub "ldr w2, [x1]", nop
    stub "ldr x2, [x1]", nop
    stub "strb w25, [x1]", nop
    stub "strh w25, [x1]", nop
    stub "str w25, [x1]", nop
    stub "str x25, [x1]", nop
    stub "ldrb w25, [x1]", "mov x2, x25"
    stub "ldrh w25, [x1]", "mov x2, x25"
    stub "ldr w25, [x1]", "mov x2, x25"
    stub "ldr x25, [x1]", "mov x2, x25"
    stub "strb w2, [x1], #0", nop
    stub "strh w2, [x1], #0", nop
    stub "str w2, [x1], #0", nop
    stub "str x2, [x1], #0", nop
    stub "ldrb w2, [x1], #0", nop
    stub "ldrh w2, [x1], #0", nop
    stub "ldr w2, [x1], #0", nop
    stub "ldr x2, [x1], #0", nop
    .balign 4096
level1:
    .quad 0x701, 0x40000701
    .zero 4080
    .balign 2048
table:
    .rept 16
    .balign 128
    mrs x26, esr_el1
    mrs x28, far_el1
    mrs x17, elr_el1
    add x17, x17, #4
    msr elr_el1, x17
    eret
    .endr
"""

SCRIPT = """
import time
import hv
from hv.virtio import Rng

RESULTS = 0x4010_0000


def sweep(way, base, ranges, same, other, leave_out, prepare):
    found = []
    with guest(code, ram="4M", cpus=2) as vm:
        exec(prepare, {"vm": vm, "Rng": Rng})
        for k in range(7):  # the last of eight is free, and stays so
            vm.irq(64 + k).watch()
        for first, end in ranges:
            cpu = vm.cpu[0]
            cpu.pc, cpu.pstate = 0x4008_0000, 0x3C5
            cpu.sysreg["SCTLR_EL1"] = 0x30D0_0800
            for n, value in ((18, leave_out), (19, base), (20, first), (21, end), (22, RESULTS), (23, way), (24, same), (27, other)):
                cpu.x[n] = value
            vm.start()
            while vm.running:
                time.sleep_ms(1)
            if vm.exit.reason != "stop":
                raise RuntimeError(repr(vm.exit))
            found.append(bytes(vm.memory[RESULTS : RESULTS + 8 * (end - first)]))
        said = vm.console.read() or b""
        free = vm.irq(80).watch() is None and [vm.irq(64 + k).hits for k in range(7)] == [0] * 7
        try:
            vm.irq(81).watch()
            free = False
        except hv.Fault:
            raise
        except Exception:
            pass
    return found, said, free


def compare(ways, base, ranges, same, other, leave_out, prepare, unaligned):
    wanted = None
    for way in ways:
        found = sweep(way, base, ranges, same, other, leave_out, prepare)
        if not found[2]:
            print(ways[way], "changed what is beside it")
        if wanted is None:
            wanted = found
        if found[1] != wanted[1]:
            print(ways[way], "sent", found[1][:60], "not", wanted[1][:60])
        for (first, end), got, want in zip(ranges, found[0], wanted[0]):
            for k in range(0, len(got), 8):
                if got[k : k + 8] != want[k : k + 8]:
                    print(f"{ways[way]}: offset {first + k // 8:#x}: {got[k : k + 8].hex()}, not {want[k : k + 8].hex()}")
                    break
                offset, aborted = first + k // 8, got[k + 4] & ~leave_out
                right = sum(0x11 << n for n in range(4) if offset & ((1 << n) - 1)) & ~leave_out
                if unaligned and aborted != right:
                    print(f"{ways[way]}: offset {offset:#x}: aborts {aborted:#x}, not {right:#x}")
                    break
    print("done")


compare(ways, *device)
"""

UART_FLAGS, RTC_CONTROL, GICD_TYPER = 0x0900_0018, 0x0901_000C, 0x0800_0004
STORES, LOADS = 0x0F, 0xF0

# Where it is, which offsets, a register of it and one of another, what not to do (see x18), what the VM needs
# besides, and whether what is not aligned aborts at all of it.
DEVICES = {
    "GICD of GICv2": (2, (0x0800_0000, ((0, 0x1000),), GICD_TYPER, UART_FLAGS, 0, "", True)),
    "GICD of GICv3": (
        3,
        (
            0x0800_0000,
            ((0, 0xD40), (0x5FF0, 0x6910), (0xFFC0, 0x10000)),
            *(GICD_TYPER, UART_FLAGS, 0, "", True),
        ),
    ),
    "GICR": (
        3,
        (
            0x080A_0000,
            (
                (0, 0x80),
                (0xFFC0, 0x10D20),
                (0x1FFC0, 0x20080),
                (0x2FFC0, 0x30D20),
                (0x3FFC0, 0x40000),
            ),
            *(0x080A_0008, UART_FLAGS, 0, "", True),
        ),
    ),
    "GICC behind its first page": (
        2,
        (0x0801_0000, ((0x1000, 0x1100), (0xFFC0, 0x10000)), 0x0801_1000, UART_FLAGS, 0, "", True),
    ),
    "PL011": (
        None,
        (0x0900_0000, ((0, 0x60), (0xFC0, 0x1000)), UART_FLAGS, RTC_CONTROL, 0, "", True),
    ),
    "PL031": (
        None,
        (0x0901_0000, ((8, 0x40), (0xFC0, 0x1000)), RTC_CONTROL, UART_FLAGS, 0, "", True),
    ),
    "virtio-mmio": (
        None,
        (
            0x0A00_0000,
            ((0, 0x4D), (0x58, 0x69), (0x78, 0x120), (0x1F0, 0x220), (0x3FF0, 0x4000)),
            *(0x0A00_0000, UART_FLAGS, 0, "vm.virtio(Rng())", True),
        ),
    ),
    # Its array is memory, of which loads may be unaligned.
    "flash": (
        None,
        (
            0,
            ((0, 0x100), (0x7FF80, 0x7FFF9)),
            UART_FLAGS,
            RTC_CONTROL,
            0,
            "vm.flash(0, 1 << 19)",
            False,
        ),
    ),
    "flash, stores": (
        None,
        (
            0,
            ((0, 0x100), (0x7FF80, 0x80000)),
            UART_FLAGS,
            RTC_CONTROL,
            LOADS,
            "vm.flash(0, 1 << 19)",
            True,
        ),
    ),
}


@pytest.mark.parametrize("name", DEVICES)
def test_every_way_to_a_register_is_the_same(each_target, name):
    version, device = DEVICES[name]
    if version and f"gicv{version}" not in each_target.name:
        pytest.skip("of the other GIC")
    assert run(each_target, SWEEP, SCRIPT, 300, ways=WAYS, device=device) == "done\n"
