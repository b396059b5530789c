# SPDX-License-Identifier: MIT
"""A virtio driver in Python, on the target: a guest of a few instructions does its loads and stores."""

# What a run does: a load (x0 is 0), a store (1) or a load of a byte (2) at x1, of x2. Behind a store it stays while x3 is not 0.
CODE = """
1:  hvc #0x100
    cbz x0, 2f
    tbnz x0, #1, 3f
    str w2, [x1]
4:  cbnz x3, 4b
    b 1b
2:  ldr w2, [x1]
    b 1b
3:  ldrb w2, [x1]
    b 1b
"""

SCRIPT = """
import struct
from hv.virtio import Device

NEXT, WRITE, INDIRECT = 1, 2, 4
RINGS, BUFFERS = 0x4010_0000, 0x4018_0000

class Driver:
    def __init__(self, vm, slot=0, num=8):
        self.vm, self.base, self.num = vm, 0x0A00_0000 + slot * 0x200, num
        self.rings = {}
        if vm.cpu[0].pc == 0x4008_0000:
            vm.run(60_000)
    def access(self, op, at, value=0):
        x = self.vm.cpu[0].x
        x[0], x[1], x[2] = op, self.base + at, value
        exit = self.vm.run(60_000)
        assert exit.reason == "stop", exit
        return x[2]
    def get(self, at):
        return self.access(0, at)
    def put(self, at, *values):
        for value in values:
            self.access(1, at, value)
    def byte(self, at):
        return self.access(2, at)
    def features(self):
        self.put(0x14, 0)
        low = self.get(0x10)
        self.put(0x14, 1)
        return self.get(0x10) << 32 | low
    def begin(self, accept=None):
        "Up to FEATURES_OK; what is left in the status."
        self.put(0x70, 0, 1, 3)
        if accept is None:
            accept = self.features()
        for half in 0, 1:
            self.put(0x24, half)
            self.put(0x20, accept >> 32 * half & 0xFFFF_FFFF)
        self.put(0x70, 11)
        return self.get(0x70)
    def queue(self, n=0):
        desc = RINGS + n * 0x4000
        self.put(0x30, n)
        self.put(0x38, self.num)
        self.vm.memory[desc:desc + 0x4000] = bytes(0x4000)
        if self.get(4) == 1:
            avail = desc + 16 * self.num
            used = avail + 6 + 2 * self.num + 4095 & ~4095
            self.put(0x28, 4096)
            self.put(0x3C, 4096)
            self.put(0x40, desc >> 12)
        else:
            avail, used = desc + 0x1000, desc + 0x2000
            for at, value in (0x80, desc), (0x90, avail), (0xA0, used):
                self.put(at, value)
                self.put(at + 4, 0)
            self.put(0x44, 1)
        self.rings[n] = [desc, avail, used, 0, 0]
    def start(self, queues=1, accept=None):
        status = self.begin(accept)
        for n in range(queues):
            self.queue(n)
        self.put(0x70, status | 4)
        return self
    def describe(self, n, index, at, length, flags=0, next=0):
        desc = self.rings[n][0] + 16 * index
        self.vm.memory[desc:desc + 16] = struct.pack("<QIHH", at, length, flags, next)
    def offer(self, n, head, kick=True):
        ring = self.rings[n]
        at = ring[1] + 4 + 2 * (ring[3] % self.num)
        self.vm.memory[at:at + 2] = struct.pack("<H", head)
        ring[3] = ring[3] + 1 & 0xFFFF
        self.vm.memory[ring[1] + 2:ring[1] + 4] = struct.pack("<H", ring[3])
        if kick:
            self.put(0x50, n)
    def used(self, n):
        "What has come back since the last call: [(head, bytes written)]"
        ring, back = self.rings[n], []
        index, = struct.unpack("<H", self.vm.memory[ring[2] + 2:ring[2] + 4])
        while ring[4] != index:
            at = ring[2] + 4 + 8 * (ring[4] % self.num)
            back.append(struct.unpack("<II", self.vm.memory[at:at + 8]))
            ring[4] = ring[4] + 1 & 0xFFFF
        return back
    def ask(self, n, *parts):
        "Put a chain in a queue: bytes to be read, numbers for room. What is in the room afterwards."
        at, rooms = BUFFERS, []
        for i, part in enumerate(parts):
            more = NEXT if i + 1 < len(parts) else 0
            if isinstance(part, int):
                rooms.append((at, part))
                self.describe(n, i, at, part, WRITE | more, i + 1)
                at += part + 64
            else:
                self.vm.memory[at:at + len(part)] = part
                self.describe(n, i, at, len(part), more, i + 1)
                at += len(part) + 64
        self.offer(n, 0)
        for _ in range(200):  # a device that has had a long turn lets the guest go on first
            if self.idle(n):
                break
            self.get(0x70)
        return [self.vm.memory[at:at + size] for at, size in rooms]
    def idle(self, n):
        "Whether all that was offered has come back, or the device wants a reset."
        ring = self.rings[n]
        return self.vm.memory[ring[2] + 2:ring[2] + 4] == struct.pack("<H", ring[3]) or self.get(0x70) & 64
"""
