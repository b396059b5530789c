# SPDX-License-Identifier: MIT
"""Runs on the target, from /rom: what a request to a virtio disk costs. Beside rows.py, whose rows count on how full
the table of its names is.
"""

import gc
import struct

import hv
import rows

INDIRECT, EVENT_IDX = 1 << 28, 1 << 29


def descriptor(address, size, flags, next=0):
    return struct.pack("<QIHH", address, size, flags, next)


def disk_request(size=512, depth=1, features=0):
    """A read of so many bytes from a disk in memory, `depth` of them a kick, all of EL2's part: block.S."""
    requests = 512
    with hv.VM("disk", "4M") as vm:
        vm.block(1 << 20)
        vm.load("/rom/block.bin", at=0x4008_0000)
        # the header, next the data, next the status
        table = descriptor(0x4011_0000, 16, 1, 1)
        table += descriptor(0x4012_0000, size, 3, 2) + descriptor(0x4011_0100, 1, 2)
        if features & INDIRECT:
            vm.memory[0x4011_1000 : 0x4011_1000 + len(table)] = table
            table = descriptor(0x4011_1000, len(table), 4)
        vm.memory[0x4010_0000 : 0x4010_0000 + len(table)] = table
        vm.cpu[0].reset(0x4008_0000)
        vm.cpu[0].x[6], vm.cpu[0].x[7] = depth, features
        vm.hvc(imm=7, handler=lambda cpu: hv.STOP)
        gc.collect()
        so_far = rows.el2_instructions()
        vm.run()
        each = so_far() / requests
        used = int.from_bytes(vm.memory[0x4010_2002:0x4010_2004], "little")
        if used != requests or vm.memory[0x4011_0100] != 0:
            raise RuntimeError(f"{used} of {requests} requests")
        return each


def kicks(vcpu, requests):
    """So many reads of 512 bytes by this vCPU, one a kick: kick.S. On as many cores as it has vCPUs."""
    with hv.VM("kick", "4M", 4) as vm:
        vm.block(1 << 20)
        vm.load("/rom/kick.bin", at=0x4008_0000)
        table = descriptor(0x4011_0000, 16, 1, 1)
        table += descriptor(0x4012_0000, 512, 3, 2) + descriptor(0x4011_0100, 1, 2)
        vm.memory[0x4010_0000 : 0x4010_0000 + len(table)] = table
        vm.cpu[0].reset(0x4008_0000)
        vm.cpu[0].x[8], vm.cpu[0].x[9] = requests, vcpu
        if vm.run().reason != "off" or vm.memory[0x4011_0100] != 0:
            raise RuntimeError("no answer")


def run():
    rows.report("disk_request", disk_request())
    rows.report("disk_page", disk_request(4096))
    rows.report("disk_page_32", disk_request(4096, 32))
    rows.report("disk_page_indirect", disk_request(4096, 32, INDIRECT | EVENT_IDX))
