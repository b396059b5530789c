# SPDX-License-Identifier: MIT
"""The system calls of a Linux: k.syscalls()."""

import struct

_PREFIX = "__arm64_sys_"
_FIRST = "io_setup", "io_destroy", "io_submit"  # 0, 1, 2 (include/uapi/asm-generic/unistd.h)


def syscalls(k):
    at, found = k.address("sys_call_table"), {}
    for number in range(1024):
        place = k._symbols.at(k.number(at + 8 * number))
        if not place or not place[2].startswith("__arm64_"):
            break
        name = place[2][len(_PREFIX) :] if place[2].startswith(_PREFIX) else place[2][8:]
        if name != "ni_syscall":
            found[number] = name
    return found


def table(k):
    """The address of sys_call_table, which has no name in a kernel without KALLSYMS_ALL."""
    first = [k._vm.address(_PREFIX + name) for name in _FIRST]
    at = k._memory.find(struct.pack("<3Q", *first), k._image[0], k._image[1], 8)
    if at < 0:
        raise ValueError(
            f"the Linux of {k._vm.name} has no table of system calls that is known here"
        )
    return at + k.offset & (1 << 64) - 1
