# SPDX-License-Identifier: MIT
"""Runs on the target, from /rom: what is ordinary in a handler, an operation each."""

import array

import hv

glob, items, pair, table = 0, [1, 2, 3, 4], (5, 6, 7, 8), {0: 1, 1: 2, 2: 3}
octets, words = bytearray(16), array.array("I", (1, 2, 3, 4))


def step_global(cpu, x1, x2):
    global glob
    glob += 1


def step_list(cpu, x1, x2):
    items[x2] += 1


def step_dict(cpu, x1, x2):
    table[x2] += 1


def step_bytes(cpu, x1, x2):
    octets[x2] += 1


def step_array(cpu, x1, x2):
    words[x2] += 1


def step_x(cpu, x1, x2):
    cpu.x[5] = 1


def function(x):
    return x + 1


class Stateful:
    def __init__(self):
        self.control = self.status = self.mask = self.level = self.last = 0

    def update(self, x):
        self.last = x
        return x

    # Five registers; loads and stores.
    def access(self, cpu, offset, value):
        if value is None:
            if offset == 0:
                return self.control
            elif offset == 4:
                return self.status
            return self.mask
        if offset == 0:
            self.control = value
        elif offset == 4:
            self.status &= ~value
        elif offset == 8:
            self.mask = value

    def rd(self, offset):
        return self.control if offset == 0 else self.status

    def by_methods(self, cpu, offset, value):
        if value is None:
            return self.rd(offset)


stateful = Stateful()

LADDER = {
    "true": lambda cpu, x1, x2: True,
    "negative": lambda cpu, x1, x2: -x2,
    "divide": lambda cpu, x1, x2: x1 // x2,
    "modulo": lambda cpu, x1, x2: x1 % x2,
    "global": step_global,
    "skip": lambda cpu, x1, x2: hv.SKIP,
    "tuple_item": lambda cpu, x1, x2: pair[x2],
    "dict_item": lambda cpu, x1, x2: table[x2],
    "bytes_item": lambda cpu, x1, x2: octets[x2],
    "array_item": lambda cpu, x1, x2: words[x2],
    "in_tuple": lambda cpu, x1, x2: 1 if x2 in (1, 2, 3) else 0,
    "list_step": step_list,
    "dict_step": step_dict,
    "bytes_step": step_bytes,
    "array_step": step_array,
    "x_load": lambda cpu, x1, x2: cpu.x[5],
    "x_store": step_x,
    "large_result": lambda cpu, x1, x2: 0x8000_0000_0000_0000,
    "large_sum": lambda cpu, x1, x2: x1 + 0xFFFF_0000_0000_0000,
    "large_argument": lambda cpu, x1, x2, x3: x3 & 0xFF,
    "large_shift": lambda cpu, x1, x2, x3: x3 >> 32,
    "function": lambda cpu, x1, x2: function(x1),
    "method": lambda cpu, x1, x2: stateful.update(x1),
}


def run(rows):
    for name, handler in LADDER.items():
        rows.report("ladder_" + name, rows.count("hvc_add", lambda vm: vm.hvc(rows.ADD, handler)))
    rows.report(
        "ladder_device_load",
        rows.count("mmio_load", lambda vm: vm.mmio(rows.DEVICE, 16, stateful.access)),
    )
    rows.report(
        "ladder_device_store",
        rows.count("mmio_store", lambda vm: vm.mmio(rows.DEVICE, 16, stateful.access)),
    )
    rows.report(
        "ladder_device_methods",
        rows.count("mmio_load", lambda vm: vm.mmio(rows.DEVICE, 16, stateful.by_methods)),
    )
