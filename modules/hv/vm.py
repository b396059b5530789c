# SPDX-License-Identifier: MIT
"""hv.VM: a virtual machine like QEMU's "virt", as far as its guest can tell.

RAM is at IPA 0x4000_0000, a PL011 at 0x0900_0000, PSCI answers HVC and SMC. Everything else is what
a script adds: handlers for calls, addresses and registers.
"""

import _hv

EL1H = 0x5  # PSTATE: EL1 with its own stack pointer, interrupts enabled
_UNITS = {"K": 10, "M": 20, "G": 30}


def size(value):
    """Bytes of 65536, "64K", "64M" or "1G"."""
    if isinstance(value, int):
        return value
    try:
        return int(value[:-1]) << _UNITS[value[-1].upper()]
    except (KeyError, ValueError, IndexError):
        raise ValueError(f'a size is bytes or "64K", "64M", "1G", not {value!r}') from None


class VM:
    """name: for messages. ram: bytes, or "64M". cpus: 1 to 8 vCPUs.

    MemoryError when the machine has no room; a `with` statement closes it at the end.
    """

    def __init__(self, name="guest", ram="64M", cpus=1):
        self._vm = vm = _hv.VM(name, size(ram), cpus)
        vm.wrapper = self
        self.name = name
        self.cpu = vm.cpu
        self.memory = vm.memory
        self.el2 = vm.el2
        self._image = None

    # -- Handlers. Each is a decorator, or takes the function as its last argument; None removes.

    def hvc(self, function=None, handler=False, *, imm=None):
        """Answer HVC with this SMCCC function id in w0, or of this immediate: f(cpu, x1, x2, ...).

        Returns go to x0, or x0, x1, ... for a tuple; None leaves the registers alone.
        """
        if imm is not None:
            return self._hook("imm", imm, handler)
        return self._hook("hvc", function, handler)

    def smc(self, function, handler=False):
        """As `hvc`, for SMC."""
        return self._hook("smc", function, handler)

    def sysreg(self, name, handler=False):
        """Answer a trapped MRS or MSR: f(cpu, value), value None for a read, which returns an int.

        Whether a register traps is up to vm.el2 (HCR_EL2.TACR, TVM, TID3; MDCR_EL2; ...).
        """
        return self._hook("sysreg", name, handler)

    def exception(self, ec, handler=False):
        """What nothing else answers of exception class `ec` (ESR_EL2.EC): f(cpu, esr)."""
        return self._hook("class", ec, handler)

    def default(self, handler=False):
        """What nothing else answers at all: f(cpu, esr)."""
        return self._hook("default", None, handler)

    def mmio(self, ipa, size, handler=False):
        """A device at [ipa, ipa + size): f(cpu, offset, value), value None for a load, which returns
        an int. Ranges may be of any size and alignment, several to a page; they must not overlap.
        """
        vm = self._vm
        if handler is not False:
            return vm.mmio(ipa, size, handler)

        def register(function):
            vm.mmio(ipa, size, function)
            return function

        return register

    def _hook(self, kind, key, handler):
        vm = self._vm
        if handler is not False:
            return vm.hook(kind, key, handler)

        def register(function):
            vm.hook(kind, key, function)
            return function

        return register

    # -- Loading and running

    def load(self, source, at=None, entry=None, dtb=None):
        """Load an ELF, arm64 Image or flat binary (a path, file or buffer; also gzip'd) and make
        cpu 0 ready to start it. An Image or flat binary is given a device tree in x0, an ELF only
        with dtb=True. Returns what was loaded and where (hv.loader.Loaded).
        """
        from .loader import load, put_tree

        loaded = load(self.memory, source, at=at, entry=entry)
        self._image = source
        if dtb or (dtb is None and loaded.kind != "elf"):
            loaded.dtb = put_tree(self.memory, self.device_tree(), taken=loaded.taken())
        self.cpu[0].reset(loaded.entry, loaded.dtb or 0)
        return loaded

    def symbol(self, name):
        """The value of a symbol of the ELF file last loaded; KeyError when it has none such."""
        from .symbols import find

        return find(self._image, name)

    def device_tree(self, **more):
        """The tree (hv.fdt.Tree) that describes this VM; `more` as in hv.machine_dt.virt."""
        from .machine_dt import virt

        ram = ((self.memory.base, self.memory.size),)
        return virt(ram, len(self.cpu), _hv.platform()["gic"] or 2, **more)

    def run(self, timeout_ms=None):
        """Run in the foreground, the guest's console on this one. Returns an Exit when the guest
        ends, or does something nobody answers: it can be run on. Ctrl-C raises KeyboardInterrupt.
        """
        return self._vm.run(timeout_ms)

    def close(self):
        """End it and give its memory back. What is left of it raises ValueError."""
        self._vm.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __repr__(self):
        if self._vm.closed:
            return f"<VM {self.name}: closed>"
        return f"<VM {self.name}: {len(self.cpu)} cpus, {self.memory.size >> 10} KB RAM, VMID {self._vm.vmid}>"
