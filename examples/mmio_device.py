"""A device written in Python: mpremote run examples/mmio_device.py"""

import struct

import hv

DEVICE = 0x0B00_0000

# The guest copies bytes from the device to its console until it gets 0, tells the device, and powers off.
COPY = struct.pack(
    "<10I",
    0xD2A1_6000,  # movz x0, #0x0b00, lsl #16   the device
    0xD2A1_2001,  # movz x1, #0x0900, lsl #16   the PL011
    0x3940_0002,  # loop: ldrb w2, [x0]
    0x3400_0062,  #       cbz  w2, done
    0x3900_0022,  #       strb w2, [x1]
    0x17FF_FFFD,  #       b    loop
    0xB900_0401,  # done: str  w1, [x0, #4]
    0xD2B0_8000,  # movz x0, #0x8400, lsl #16   PSCI SYSTEM_OFF
    0xF280_0100,  # movk x0, #8
    0xD400_0002,  # hvc  #0
)


class Message:
    """Loads get a text, byte by byte, and then 0; stores are shown."""

    def __init__(self, text):
        self.left = text.encode()

    def access(self, cpu, offset, value):
        if value is not None:
            print(f"python: {value:#x} stored at offset {offset}, pc {cpu.exit.pc:#x}")
            return None
        byte, self.left = self.left[:1], self.left[1:]
        return byte[0] if byte else 0


vm = hv.VM("mmio", ram="2M")
vm.load(COPY)
vm.mmio(DEVICE, 8, Message("guest: this text comes from Python, byte by byte\n").access)

# A rule is carried out in C, without Python. This one counts what the guest prints, and lets it pass.
printed = vm.rule("mmio", (0x0900_0000, 4), "count")

print(vm.run())
print("python:", printed.hits, "bytes went to the console")
