# SPDX-License-Identifier: MIT
"""hv.demo(): a first guest, without any file."""

from . import VM

# What the guest executes, from its first byte on.
_CODE = (
    0x1000_01C3,  #       adr  x3, text
    0xD2A1_2004,  #       movz x4, #0x0900, lsl #16   the PL011
    0x3840_1462,  # loop: ldrb w2, [x3], #1
    0x3400_0062,  #       cbz  w2, done
    0x3900_0082,  #       strb w2, [x4]
    0x17FF_FFFD,  #       b    loop
    0x52B8_C000,  # done: movz w0, #0xc600, lsl #16
    0x7280_0020,  #       movk w0, #1
    0xD280_0281,  #       mov  x1, #20
    0xD280_02C2,  #       mov  x2, #22
    0xD400_0002,  #       hvc  #0
    0x52B0_8000,  #       movz w0, #0x8400, lsl #16   PSCI SYSTEM_OFF
    0x7280_0100,  #       movk w0, #8
    0xD400_0002,  #       hvc  #0
)  # text:
_TEXT = b"guest: hello from EL1, what is 20 + 22?\n\0"


def demo():
    """Launch a guest of 14 instructions: it prints, asks Python for a sum, and powers off."""
    with VM("demo", ram="1M") as vm:
        vm.load(b"".join([word.to_bytes(4, "little") for word in _CODE]) + _TEXT)

        @vm.hvc(0xC600_0001)
        def add(cpu, x1, x2):
            print(f"python: {x1 + x2}, says EL2 to cpu {cpu.id} at {cpu.pc:#x}")
            return x1 + x2

        print(vm.cpu[0])
        return vm.run()
