# SPDX-License-Identifier: MIT
"""A Linux's processes and address spaces, seen from outside; with no debug package.

What is where in a struct is in the kernel's own BTF (Documentation/bpf/btf.rst), which lies in its image; the
translation tables' root and shape are in its vmcoreinfo note, and init_task is found by its name. CONTEXTIDR_EL1 would
not do for a process: it is the thread's number, and only where Linux is built with PID_IN_CONTEXTIDR.
"""

import struct

_STRUCT = 4  # a BTF kind
_MOST = 1 << 16  # processes


def processes(vm) -> dict:
    """{pid: name} of the Linux that runs in a VM."""
    return {pid: name for pid, name, _ in _of(vm).tasks()}


def current(cpu):
    """The pid of the process that a stopped cpu is in, or None: it is at EL0 and in none of them."""
    linux = _of(cpu.vm)
    if cpu.pstate & 15:
        return linux.number(cpu.sysreg["SP_EL0"])  # the kernel's "current"
    root = cpu.sysreg["TTBR0_EL1"] & 0xFFFF_FFFF_FFFE
    for pid, _, mm in linux.tasks():
        if mm and linux.root(mm) == root:
            return pid
    return None


def is_current(vm, pid):
    """A function that says of a cpu at EL1 whether it is there for that process."""
    linux = _of(vm)
    linux.space(pid)
    return lambda cpu: linux.number(cpu.sysreg["SP_EL0"]) == pid


def space(vm, pid):
    """What TTBR0_EL1 is in a process, its ASID aside."""
    return _of(vm).space(pid)


def translate(vm, va, root=None):
    """The IPA that a Linux has at va, by the tables of its kernel or those at `root`, or None. With KPTI a cpu that is in
    user space has but a few pages of the kernel's in its own.
    """
    kernel = vm.symbols.kernel()
    tables = kernel and kernel.note and _Tables(vm, kernel.note)
    return tables.ipa(va, root) if tables else None


def members(vm):
    """Where in its struct a task's process number and name are, of a Linux that runs, or that will."""
    kernel = vm.symbols.kernel()
    if kernel and kernel.tasks:
        return kernel.tasks.members
    memory, loaded = vm.memory, vm._linux
    ends = (loaded.base, loaded.end) if loaded else (memory.base, memory.base + memory.size)
    btf = kernel and _btf(memory, *ends)
    if not btf:
        raise ValueError(
            f"{vm.name} has no Linux with BTF: which process it switches to is not known"
        )
    task = btf.struct("task_struct")
    return btf.member(task, "tgid"), btf.member(task, "comm")


def has(vm):
    """Whether there is a Linux that says enough of itself."""
    kernel = vm.symbols.kernel()
    return bool(kernel and kernel.note)


def _of(vm):
    kernel = vm.symbols.kernel()
    if not (kernel and kernel.note):
        raise ValueError(f"{vm.name} runs no Linux that is known here: pid= can be a TTBR0_EL1")
    if kernel.tasks is None:
        kernel.tasks = _Linux(vm, kernel)
    return kernel.tasks


class _Tables:
    """Stage 1 (DDI 0487 D5.3, VMSAv8-64), walked by hand."""

    def __init__(self, vm, note):
        def number(key, base=0):
            _, found, rest = note.partition(key + b"=")
            return int(rest.split(b"\n")[0], base) if found else None

        self._memory = vm.memory
        self.offset = number(b"NUMBER(kimage_voffset)", 16)
        self._page = {16384: 14, 65536: 16}.get(number(b"PAGESIZE"), 12)
        self._bits = 64 - (number(b"NUMBER(TCR_EL1_T1SZ)", 16) or 64 - number(b"NUMBER(VA_BITS)"))
        self._kernel = number(b"SYMBOL(swapper_pg_dir)", 16) - self.offset & (1 << 64) - 1

    def long(self, ipa):
        """Of 8 bytes; 0 where no RAM is."""
        memory = self._memory
        if not memory.base <= ipa <= memory.base + memory.size - 8:
            return 0
        return int.from_bytes(memory[ipa : ipa + 8], "little")

    def ipa(self, va, root=None):
        table = self._kernel if va >> 63 or root is None else root
        if va >> self._bits not in (0, (1 << 64 - self._bits) - 1):
            return None
        va &= (1 << self._bits) - 1
        page, stride = self._page, self._page - 3
        shift = page + stride * ((self._bits - page - 1) // stride)
        while True:
            entry = self.long(table + 8 * (va >> shift & (1 << stride) - 1))
            at, leaf = entry & 0xFFFF_FFFF_F000, shift == page or not entry & 2
            if not entry & 1 or (shift == page and not entry & 2):
                return None
            if leaf:
                return at >> shift << shift | va & (1 << shift) - 1
            table, shift = at >> page << page, shift - stride

    def read(self, va, size):
        """So many bytes, which are not across a page's end; zeros where nothing is."""
        ipa = self.ipa(va)
        memory = self._memory
        if ipa is None or not memory.base <= ipa <= memory.base + memory.size - size:
            return bytes(size)
        return memory[ipa : ipa + size]

    def word(self, va, size=8):
        return int.from_bytes(self.read(va, size), "little")


class _Linux(_Tables):
    def __init__(self, vm, kernel):
        super().__init__(vm, kernel.note)
        self._name = vm.name
        memory = vm.memory
        end = memory.base + memory.size
        start = kernel.find("_etext")
        start = memory.base if start is None else start - self.offset & (1 << 64) - 1
        btf = _btf(memory, start, end)
        if btf is None:
            raise ValueError(f"the Linux of {vm.name} has no BTF: pid= can be a TTBR0_EL1")
        task, mm = btf.struct("task_struct"), btf.struct("mm_struct")
        self._next, self._pid, self._comm, self._mm = [
            btf.member(task, name) for name in ("tasks", "tgid", "comm", "mm")
        ]
        self.members = self._pid, self._comm
        self._pgd = btf.member(mm, "pgd")
        if self._pgd is None:  # in a struct without a name that is all of it
            self._pgd = btf.member(btf.nameless("pgd", mm[2]), "pgd")
        self._init = kernel.find("init_task") or self._first(start, end)

    def _first(self, start, end):
        """The address of init_task, which is not among the names of a kernel without KALLSYMS_ALL."""
        while (start := self._memory.find(b"swapper", start, end)) >= 0:
            at = start - self._comm + self.offset & (1 << 64) - 1
            head = at + self._next
            if self.number(at) == 0 and head in (
                self.word(self.word(head) + 8),
                self.word(self.word(head + 8)),
            ):
                return at
            start += 1
        raise ValueError(f"the Linux of {self._name} has no processes yet")

    def number(self, task):
        """Of a struct task_struct: its process's."""
        return self.word(task + self._pid, 4)

    def root(self, mm):
        return self.ipa(self.word(mm + self._pgd))

    def tasks(self):
        """(pid, name, its struct mm_struct or 0) of each process."""
        head = at = self._init + self._next
        for _ in range(_MOST):
            at = self.word(at)
            task = at - self._next
            if at in (0, head):
                return
            name = self.read(task + self._comm, 16).split(b"\0")[0]
            text = "".join([chr(c) if 32 <= c < 127 else "?" for c in name])
            yield self.number(task), text, self.word(task + self._mm)

    def space(self, pid):
        known = []
        for number, name, mm in self.tasks():
            if number == pid:
                root = mm and self.root(mm)
                if not root:
                    raise ValueError(
                        f"process {pid} of {self._name}, {name}, is a thread of the kernel's: it has no memory"
                    )
                return root
            known.append(f"{number} {name}")
        raise ValueError(
            f"{self._name} has no process {pid}; the last ones: {', '.join(known[-5:])}"
        )


class _Btf:
    """What is where in the structs of C."""

    def __init__(self, memory, at, types, types_size, strings, strings_size):
        self._memory = memory
        self._types = at + types, at + types + types_size
        self._strings = at + strings, at + strings + strings_size

    def _string(self, name):
        found = self._memory.find(b"\0" + name.encode() + b"\0", *self._strings)
        return found + 1 - self._strings[0] if found >= 0 else None

    def _records(self, name):
        """(where its members are, how many, bytes) of each struct of a name, by what its name's place is."""
        at, end = self._types
        pattern = struct.pack("<I", name)
        while (at := self._memory.find(pattern, at, end, 4)) >= 0:
            _, info, size = struct.unpack("<III", self._memory[at : at + 12])
            count = info & 0xFFFF
            if info >> 24 & 31 == _STRUCT and 0 < count and at + 12 + 12 * count <= end:
                yield at + 12, count, size
            at += 4

    def struct(self, name):
        where = self._string(name)
        for found in self._records(where) if where else ():
            if self._members(found)[0][2] & 0xFF_FFFF == 0:
                return found
        raise ValueError(f"the BTF of this Linux has no struct {name}")

    def nameless(self, member, size):
        """The struct without a name and with that member that is of so many bytes."""
        place = self._string(member)
        for found in self._records(0):
            if found[2] == size and any([name == place for name, _, _ in self._members(found)]):
                return found
        raise ValueError(f"the BTF of this Linux has no {member} where it is expected")

    def _members(self, found):
        at, count, _ = found
        data = self._memory[at : at + 12 * count]
        return [struct.unpack_from("<III", data, 12 * i) for i in range(count)]

    def member(self, found, name):
        """Where in it, in bytes, or None."""
        place = self._string(name)
        for name, _, bits in self._members(found):
            if name == place:
                return (bits & 0xFF_FFFF) // 8
        return None


def _btf(memory, start, end):
    """That of the kernel in [start, end) of a VM's memory: the first that knows its processes."""
    # Magic, version 1, no flags, 24 bytes of header (include/uapi/linux/btf.h).
    while (start := memory.find(b"\x9f\xeb\1\0\x18\0\0\0", start, end)) >= 0:
        sizes = (
            struct.unpack("<4I", memory[start + 8 : start + 24])
            if start + 24 <= end
            else (0, 0, 0, 0)
        )
        if (
            start + 24 + max(sizes[0] + sizes[1], sizes[2] + sizes[3]) <= end
            and sizes[1] > 1 << 20
        ):
            return _Btf(memory, start + 24, *sizes)
        start += 8
    return None
