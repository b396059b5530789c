# SPDX-License-Identifier: MIT
"""vm.kernel: a Linux that runs in a VM, seen from outside, with no debug package and no profile of it.

k = vm.kernel
k.ps(); k.dmesg(); k.files(1); k.stack(1); k["init_task"].comm

What is where in a struct is in the kernel's own BTF, in its image; names are its kallsyms; the root and the shape of its
translation tables are in its vmcoreinfo note. Nothing of it runs for that: it may stand still, hang, or be corrupt.
"""

from _hv import Fault

from . import btf
from .note import printable, string
from .stage1 import Tables
from .symbols import text
from .value import PTR, Value, read

_MOST = 1 << 16  # of a list
_LOOKS = 1 << 12  # at what could be something that is searched for
# BTF has the types of few variables.
_TYPES = {
    "init_task": "struct task_struct",
    "init_mm": "struct mm_struct",
    "init_net": "struct net",
    "init_pid_ns": "struct pid_namespace",
    "init_uts_ns": "struct uts_namespace",
    "jiffies": "unsigned long",
    "modules": "struct list_head",
    "prb": "struct printk_ringbuffer *",
    "super_blocks": "struct list_head",
}


def of(vm):
    """The Kernel of a VM's Linux. AttributeError, for dir() and hasattr(), when there is none that says enough of itself."""
    known = vm.symbols.kernel()
    if not (known and known.note):
        raise AttributeError(f"{vm.name} runs no Linux that is known here, or not yet")
    if known.linux is None:
        known.linux = Kernel(vm, known)
    if known.linux.types is None:
        raise AttributeError(f"the Linux of {vm.name} has no BTF (CONFIG_DEBUG_INFO_BTF)")
    return known.linux


class Kernel(Tables):
    """A running Linux: `vm.kernel`. A VM that runs stands still while one of its methods looks; in a handler the other
    vCPUs do.

    hv.Fault, which names the address, where something is not mapped, a list leads nowhere, or there is no end to what is
    read; what was found before is in the exception's `rows`.
    """

    _most = 1 << 19  # reads for one answer: 170,000 lines of a log

    def __init__(self, vm, symbols):
        super().__init__(vm, symbols.note)
        self._vm, self._symbols = vm, symbols
        self._pages = None  # while nothing of the guest runs: where they are
        self._left = 0  # reads
        self._calls = None
        self._found = {}
        memory = vm.memory
        start = symbols.find("_stext")
        self._image = start - self.offset & (1 << 64) - 1, memory.base + memory.size
        start = symbols.find("__start_BTF") or symbols.find("_etext") or start
        self.types = btf.find(memory, start - self.offset & (1 << 64) - 1, self._image[1])

    def __repr__(self):
        return f"<Kernel of {self._vm.name}: Linux {self.release}>"

    # -- What it is

    @property
    def release(self) -> str:
        """As `uname -r` says: "6.1.0-50-cloud-arm64"."""
        return self._symbols.note.release()

    @property
    def version(self) -> str:
        """As /proc/version says."""
        text, (at, end) = b"Linux version " + self.release.encode(), self._image
        build = self[
            "init_uts_ns"
        ].name.version  # there is a text of before it had a number as well
        for _ in range(_LOOKS):
            at = self._memory.find(text + b" (", at, end)
            if at < 0:
                break
            line = printable(self._memory[at : min(at + 1024, end)].split(b"\n")[0])
            if line.endswith(" " + build):
                return line
            at += 1
        return printable(text) + " " + build

    def ps(self, threads: bool = False) -> list:
        """Its processes: (pid, ppid, uid, state, name), state as ps has it (R, S, D, T, t, X, Z, P, I). threads: each of
        their threads, by its own number.
        """
        from .tasks import ps

        return self._held(ps, threads)

    def dmesg(self) -> list:
        """What it has logged, the lines of `dmesg`: of its printk ring, so also what no console has shown."""
        from .printk import dmesg

        return self._held(dmesg)

    def files(self, pid: int) -> list:
        """The files that a process has open: (fd, path), as /proc/PID/fd has them."""
        from .files import files

        return self._held(files, pid)

    def modules(self) -> list:
        """Its modules, newest first: (name, size, address, state), as /proc/modules has them."""
        from .lkm import modules

        return self._held(modules)

    def syscalls(self) -> dict:
        """{number: name} of its system calls, as openat for __arm64_sys_openat; those it does not have are left out."""
        if self._calls is None:
            from .calls import syscalls

            self._calls = self._held(syscalls)
        return self._calls

    def stack(self, pid: int):
        """Where a process, or a thread by its number, is in the kernel, and beyond: an hv.where.Where, with `frames`."""
        from .tasks import stack

        return self._held(stack, pid)

    # -- Its variables and structures

    def __getitem__(self, name: str):
        """A variable by its name: a Value, or a number. BTF does not know the types of all: the others are `void`, for
        cast(). KeyError when there is no such name.
        """
        where = self.address(name)
        return read(self, self.types.find(_TYPES.get(name, "void")), where)

    def address(self, name: str) -> int:
        """The address of a variable or function. Those that a kernel without KALLSYMS_ALL has no name for are found by
        what is in them: init_task, modules, prb, sys_call_table.
        """
        if name not in self._found:
            self._found[name] = self._address(name)
        return self._found[name]

    def _address(self, name):
        value = self._symbols.find(name)
        if value is None:
            value = self._symbols.note.symbol(name)
        if value is None:
            value = self._search(name)
        return self._vm.address(name) if value is None else value

    def _search(self, name):
        if name == "init_task":
            from .tasks import first as search
        elif name == "modules":
            from .lkm import head as search
        elif name == "sys_call_table":
            from .calls import table as search
        else:
            return None
        return search(self)

    def symbol(self, address) -> str:
        """The function or variable an address (or Value) is in, as "name+0x10". KeyError when it is in none."""
        return self._vm.symbol(int(address))

    def type(self, name: str):
        """A type by its name, "struct list_head", "list_head", "u64", "struct page *": printed it is its members and
        where they are. size, members, offset("a.b"). KeyError when there is none.
        """
        return self.types.find(name)

    def cast(self, type, where):
        """What is at an address (or Value) as of a type: a Value or a number. Of "struct page *" the address is the pointer."""
        of = self.types.find(type) if isinstance(type, str) else type
        return Value(self, of, int(where)) if of.kind == PTR else read(self, of, int(where))

    def container_of(self, where, type: str, member: str):
        """The struct that has this member, "a" or "a.b", at an address (or Value)."""
        of = self.types.find(type)
        return Value(self, of, int(where) - of.offset(member) & (1 << 64) - 1)

    def each(self, head, type: str, member: str):
        """Iterate over the structs that are in a list (struct list_head) by this member. hv.Fault when it has no end."""
        of = self.types.find(type)
        offset, head = of.offset(member), int(head)
        before, last, at = 0, head, self.number(head)
        for _ in range(_MOST):
            if at == head:
                return
            # What is being put in or taken out at this moment is pointed to from one side.
            if self.number(at + 8) not in (last, before):
                self._fault(
                    at,
                    f"the list at {head:#x} is corrupt: what is behind {last:#x} does not lead back",
                )
            yield Value(self, of, at - offset)
            before, last, at = last, at, self.number(at)
        self._fault(at, f"the list at {head:#x} has no end")

    def read(self, where, size: int) -> bytes:
        """Bytes at an address (or Value) of the kernel's. hv.Fault where nothing is mapped."""
        return self._bytes(int(where), size, True)

    def string(self, where, limit: int = 256) -> str:
        """Text up to its NUL, at an address (or Value)."""
        data, at = b"", int(where)
        while len(data) < limit and b"\0" not in data:
            some = min(limit - len(data), 64 - at % 64)
            data += self._bytes(at, some, True)
            at += some
        return string(data)

    def number(self, va: int, size: int = 8) -> int:
        """An unsigned number of so many bytes at an address of the kernel's. hv.Fault where nothing is mapped."""
        return int.from_bytes(self._bytes(va, size, True), "little")

    def peek(self, va: int, size: int, root: int | None = None) -> bytes:
        """As read(), also of a process whose tables are at `root`; fewer bytes where nothing is mapped."""
        return self._bytes(va, size, False, root)

    def _bytes(self, va, size, all, root=None):
        memory, parts = self._memory, []
        va &= (1 << 64) - 1
        while size > 0:
            some = min(size, 4096 - va % 4096)
            ipa = self._page_at(va - va % 4096, root)
            if ipa is None:
                if all:
                    self._fault(va)
                break
            if self._pages is not None:
                self._left -= 1
                if self._left < 0:
                    self._fault(va, f"there is no end to it: {self._most} reads")
            ipa += va % 4096
            parts.append(memory[ipa : ipa + some])
            va, size = va + some, size - some
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _page_at(self, va, root):
        known = self._pages if va >> 63 or root is None else None
        if known and va in known:
            return known[va]
        ipa, memory = None, self._memory
        if va >> 63 or root is not None:
            ipa = self.ipa(va, root)
        if ipa is not None and not memory.base <= ipa <= memory.base + memory.size - 4096:
            ipa = None
        if known is not None:
            known[va] = ipa
        return ipa

    def _fault(self, va, why="no address of its kernel's is mapped there"):
        raise Fault(f"{self._vm.name} at {va:#x}: {why}")

    def _name_of(self, va):
        """ " <name+0x10>", or nothing."""
        found = self._symbols.at(va) if va >> 63 else None
        if not found or (found[1] == 0 and va != found[0]) or va - found[0] >= 1 << 20:
            return ""
        return f" <{text(found, va)}>"

    def _held(self, look, *args):
        # A VM that runs in the background is stopped meanwhile; in a handler of its own its other vCPUs wait.
        def asked():
            try:
                self._pages, self._left = {}, self._most
                return look(self, *args)
            finally:
                self._pages = None

        vm = self._vm._vm
        if vm.hold("inside"):
            return vm.hold("moment", asked)
        paused = vm.running and vm.pause()
        try:
            return asked()
        finally:
            if paused:
                vm.start(None)
