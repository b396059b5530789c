# SPDX-License-Identifier: MIT
"""Runs on the target, from /rom: what a request to a virtio disk costs. Beside rows.py, whose rows count on how full
the table of its names is.
"""

import gc
import struct

import hv
import rows


def disk_request():
    """A read of 512 bytes from a disk in memory, all of EL2's part: block.S."""
    requests = 512
    with hv.VM("disk", "4M") as vm:
        vm.block(1 << 20)
        vm.load("/rom/block.bin", at=0x4008_0000)
        table = struct.pack(
            "<QIHH", 0x4011_0000, 16, 1, 1
        )  # the header, next the data, next the status
        table += struct.pack("<QIHH", 0x4012_0000, 512, 3, 2) + struct.pack(
            "<QIHH", 0x4011_0100, 1, 2, 0
        )
        vm.memory[0x4010_0000 : 0x4010_0000 + len(table)] = table
        vm.cpu[0].reset(0x4008_0000)
        vm.hvc(imm=7, handler=lambda cpu: hv.STOP)
        gc.collect()
        so_far = rows.el2_instructions()
        vm.run()
        each = so_far() / requests
        used = int.from_bytes(vm.memory[0x4010_2002:0x4010_2004], "little")
        if used != requests or vm.memory[0x4011_0100] != 0:
            raise RuntimeError(f"{used} of {requests} requests")
        return each
