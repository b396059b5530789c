# SPDX-License-Identifier: MIT
"""The native part of the package hv.

Its types are what a VM's parts are made of; use them by way of hv.VM. Numbers are unsigned, 64 bits
wide if nothing else is said; addresses are in bytes. Manual: the Arm Architecture Reference Manual, DDI 0487.
"""

from collections.abc import Callable
from typing import Any, Final, overload

class _Action: ...

PASS: Final[_Action]
"""From a handler: do what would be done without it."""
RETRY: Final[_Action]
"""From a handler: run the instruction again, something has been changed."""
SKIP: Final[_Action]
"""From a handler: go on behind the instruction, registers as they are."""
STOP: Final[_Action]
"""From a handler: the same, but first vm.run() returns."""
UNDEFINED: Final[_Action]
"""From a handler: the guest gets an undefined instruction exception (EC 0)."""
ABORT: Final[_Action]
"""From a handler: the guest gets a synchronous external abort at FAR_EL2 (D13.2.37)."""
SERROR: Final[_Action]
"""From a handler: an SError becomes pending for the guest (HCR_EL2.VSE)."""

class Fault(OSError):
    """An access that no memory or register answers. Its text has the address and the cause."""

def read(address: int, size: int = 4, /) -> int:
    """Load `size` bytes, 1, 2, 4 or 8, at an address of EL2, as one access. Fault if it aborts."""

def write(address: int, value: int, size: int = 4, /) -> None:
    """Store `size` bytes, 1, 2, 4 or 8, at an address of EL2, as one access. Fault if it aborts."""

def mem() -> tuple[int, int, int]:
    """The memory that VMs are made of: bytes that are free, bytes in all, bytes free in one piece."""

def share(thousandths: int = ..., /) -> int: ...
def latency(ticks: int) -> int:
    """Measure how long interrupts of this core wait, every so many counts of CNTPCT; 0 ends it. Returns the longest wait since the last call."""

def platform() -> dict[str, Any]:
    """What the machine is: model, boot_el, cpus, ram_base, ram_size, gic, uart, initrd, psci, ..."""

def interactive() -> bool:
    """Whether a person types at the friendly REPL, rather than a program at the raw one."""

def poweroff() -> None:
    """Switch the machine off, by PSCI SYSTEM_OFF. OSError where there is no firmware below."""

def mrs(register: str | int, /) -> int:
    """Read a system register by name or encoding. Fault when this core has no such register."""

def msr(register: str | int, value: int, /, *, unsafe: bool = False) -> None:
    """Write a system register. Fault when it is absent; ValueError, with the reason, when EL2 or the
    guest that runs stands on what would change, unless `unsafe`."""

def symbols(table: tuple[Any, ...], what: int | str, near: bool = False, /) -> Any:
    """Search a table of symbols (hv_native/python/symtab.c says what it is): of an address (address, bytes or 0,
    name), of a name its address, None where there is none; near: names that are nearly it."""

def btf(types: Any, at: int, id: int, wanted: int, kinds: int, /) -> tuple[int, int] | None:
    """In a Linux's BTF, from record `id` at byte `at` on: (number, where) of number `wanted`, or with kinds, a bit each,
    of the first such with that name's place."""

def sysreg(register: str | int, /) -> tuple[str, int, str]:
    """Name, encoding (op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2) and access of a register."""

def sysreg_fields(register: str | int, /) -> dict[str, tuple[int, int]]:
    """The fields of a register, {name: (high bit, low bit)}."""

def sysreg_names() -> tuple[str, ...]:
    """The names of all registers in the table."""

def event() -> tuple[int, int, int, int, int, int, bool, int, int] | None:
    """The oldest event out of the ring; hv.events() makes them readable."""

def mmu(op: str, va: int, size: int, pa: int, type: str, unsafe: bool, /) -> None:
    """Change EL2's own map; hv.mmu is made of it."""

def mmu_run(va: int, /) -> tuple[int, int, int, int] | None:
    """The next run of alike entries of EL2's own map: address, bytes, level, first entry."""

def mmu_translate(va: int, write: bool, /) -> int:
    """The physical address, by AT S1E2R or S1E2W. Fault when there is none."""

def mmu_parts() -> tuple[tuple[str, int, int], ...]:
    """Where the parts of the image are: name, start, end."""

class Exit:
    """Why a guest stopped, or is stopped now. Of vm.run() it is a copy, cpu.exit is always the last one."""

    reason: Final[str]
    """"hvc", "smc", "sysreg", "mmio", "fetch", "wfx", "breakpoint", "watchpoint", "step", "trap": an exit
    that nobody answered, its esr says more. "off", "reset", "cpu_off": the guest's doing. "stop": a
    handler's. "timeout": time is up, or pause(). "memory": the machine has none left for its RAM; close a
    VM, and go on. "raised": a handler raised. Of cpu.exit also
    "interrupt" (the hypervisor had something to do), "idle" (waits for one), "none": has not run yet."""
    esr: Final[int]
    """ESR_EL2: the syndrome (D13.2.37); hv.explain() puts it into words."""
    ipa: Final[int]
    """The guest physical address of an abort."""
    va: Final[int]
    """FAR_EL2: the guest's own address of an abort."""
    far: Final[int]
    """The same as va."""
    hpfar: Final[int]
    """HPFAR_EL2 as it was read (D13.2.57)."""
    pc: Final[int]
    """Where the instruction is."""
    value: Final[int]
    """What is stored, or written to a register."""
    size: Final[int]
    """The width of a load or store in bytes."""
    write: Final[bool]
    """Whether it is a store, or an MSR."""
    cpu: Final[VCPU]
    """The vCPU it is of."""

class Registers:
    """A vCPU's x, q or sysreg: numbers by index or name, printed as a table."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int | str, /) -> int: ...
    def __setitem__(self, index: int | str, value: int, /) -> None: ...

class VCPU:
    """A virtual CPU. RuntimeError when it runs: vm.pause() first."""

    id: Final[int]
    """Its number in the VM."""
    vm: Final[Any]
    """The hv.VM it belongs to."""
    pc: int
    """Where it goes on: ELR_EL2."""
    sp: int
    """The stack pointer that PSTATE.SP chooses: SP_EL1 or SP_EL0."""
    pstate: int
    """SPSR_EL2 (C5.2.18): flags, masks, exception level. ValueError for a level a guest cannot have."""
    x: Final[Registers]
    """x[0] to x[30], 64 bits."""
    q: Final[Registers]
    """q[0] to q[31], 128 bits."""
    fpcr: int
    """FPCR, 32 bits."""
    fpsr: int
    """FPSR, 32 bits."""
    sysreg: Final[Registers]
    """EL1's system registers by name or encoding, and what the guest would read of others."""
    exit: Final[Exit]
    """Its last exit, always the newest."""
    pin: int | None
    """The core it must run on; None: any. Also while it runs."""
    exits: Final[dict[int | str, int]]
    """How many exits there were, {exception class: count}, interrupts under "irq"."""
    sp_el2: Final[int]
    """EL2's stack pointer at its last exit."""
    now: Final[tuple[str, int | None, int, int]]
    """Also while it runs: its state ("off", "stopped", "ready", "running", "idle", "python"), the core it is on, and PC and
    PSTATE, of one that runs as they were at its last exit."""
    def reset(self, pc: int = 0, x0: int = 0, /) -> None:
        """Every register as after a reset: EL1h, interrupts masked, MMU off."""
    def translate(self, va: int, write: bool = False, el0: bool = False, /) -> tuple[int, int]:
        """The IPA and the machine's address of a guest's address, by both stages. Fault when one refuses."""
    def inject(self, what: str | int, where: int = ..., /) -> None:
        """Give the guest an exception when it next runs: "undefined", "abort" or "fetch" (where: FAR_EL1),
        "svc" or "brk" (where: the immediate), "step", "breakpoint", "watchpoint" (FAR_EL1), "serror"; an int is
        ESR_EL1 as it is, of any class (where: FAR_EL1). Or "irq", an edge of interrupt `where`, 32 and up."""
    def read(self, va: int, n: int, /) -> bytes:
        """The guest's memory at an address of its own, by both stages: fewer bytes where the next one is not
        mapped or is no RAM. Access rights do not matter, and no device ever notices."""
    def write(self, va: int, data: Any, /) -> int:
        """Write there, read-only pages too; how many bytes it was. Caches are as after vm.memory's writes."""
    def string(self, va: int, /, limit: int = 256) -> str:
        """The text at an address of the guest's, up to its zero, to what cannot be read, or to `limit` bytes."""
    def step(self, n: int = 1, f: Callable | None = None, /) -> Exit:
        """Of a VM that does not run: execute n instructions on this vCPU alone, interrupts held back, and call
        f(cpu) behind each; hv.STOP ends it. At a breakpoint that is the guest's own instruction, and no hit; from
        LDXR it is all to behind STXR. What handlers have tried 300 times is over, with that exit. Returns
        an Exit: "step", or what ended it earlier."""
    def next(self) -> Exit:
        """As step(), but a call (BL, BLR) is run until it returns, by all of the VM."""
    def finish(self) -> Exit:
        """Run the VM until the function this vCPU is in has returned to its caller."""
    def dump(self) -> None:
        """Print everything it has, decoded."""
    def where(self, limit: int = 32, /) -> Any:
        """Where it is: functions from the innermost on, by frame records, through exceptions and into user space,
        and the instructions around its PC. At the prompt it shows; a script has .frames, (address, "name+0x10" or
        None, "pc", "call", "exception" or "EL0"), and .code, (address, word, text)."""

class Memory:
    """A VM's RAM by IPA: memory[ipa], memory[ipa:end] as bytes; anything that takes a buffer takes it whole.

    Caches are cleaned and dropped as a guest with its caches off needs it. ValueError outside RAM.
    """

    base: Final[int]
    """The IPA of its first byte."""
    size: Final[int]
    """Its size in bytes."""
    @overload
    def __getitem__(self, ipa: int, /) -> int: ...
    @overload
    def __getitem__(self, ipas: slice, /) -> bytes: ...
    @overload
    def __setitem__(self, ipa: int, value: int, /) -> None: ...
    @overload
    def __setitem__(self, ipas: slice, value: Any, /) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def find(self, what: bytes, start: int = ..., end: int = ..., step: int = 0, /) -> int:
        """The IPA where these bytes are first, or -1. step: only start, start + step, ... are looked at."""
    def view(self, ipa: int, size: int, /) -> memoryview:
        """The memory itself, what breakpoints have planted there with it. Caches are yours to clean()."""
    def clean(self, ipa: int, size: int, /) -> None:
        """Clean and invalidate the data cache to the point of coherency (D4.4)."""

class Console:
    """The other end of a guest's PL011, a stream. Nothing blocks: None when there is nothing to read."""

    def any(self) -> int:
        """How many bytes can be read now."""
    def printed(self, at: int = 0, size: int = 2048, /) -> tuple[int, bytes]:
        """Look at what the guest has printed, attached or not, without taking it from who reads it: where to go on, and up
        to `size` bytes from the at-th on, or from the oldest of the last 16,384."""
    def read(self, size: int = -1, /) -> bytes | None:
        """What the guest has printed."""
    def readinto(self, buf: Any, size: int = ..., /) -> int | None:
        """The same into a buffer; how many bytes."""
    def readline(self, size: int = -1, /) -> bytes | None:
        """The same up to the end of a line."""
    def write(self, buf: Any, size: int = ..., /) -> int | None:
        """Type bytes at the guest; how many it had room for."""

class IRQ:
    """An interrupt of a guest."""

    intid: int
    """Its number: 0 to 15 an SGI, to 31 a PPI, from 32 on a device's."""
    enabled: bool
    """The guest wants it (GICD_ISENABLER)."""
    pending: bool
    """It has come, and the guest has not taken it yet."""
    active: bool
    """The guest has taken it, and not ended it yet."""
    level: bool
    """Its line is high."""
    edge: bool
    """It is edge-triggered, as the guest has said (GICD_ICFGR)."""
    hw: bool
    """The physical interrupt behind it is active."""
    priority: int
    """Its priority, 0 the highest (GICD_IPRIORITYR)."""
    cpu: int | None
    """The vCPU that gets it."""
    hits: int
    """How often it rose since it is watched."""

    def set(self, level: bool | int, /) -> None:
        """The level of its line."""
    def pulse(self) -> None:
        """An edge, of a device's interrupt (32 and up)."""
    def watch(self, handler: Any = None, drop: bool = False, /) -> Any:
        """Count it (hits); drop it; or ask handler(irq), soon and on the boot core, each time it rises: the
        guest does not get it when that returns False. Returns the handler: a decorator."""
    def unwatch(self) -> None:
        """End what watch() began."""
    def forward(self, physical: int | None, /) -> None:
        """The machine's SPI of this INTID becomes this one; None ends that."""

class EL2Registers:
    """A VM's own HCR_EL2, CPTR_EL2, MDCR_EL2, CNTHCTL_EL2, VTCR_EL2 and HSTR_EL2, in force while it runs.

    el2["HCR_EL2"] |= 1 << 26. ValueError, with the reason, for a bit that must stay as it is.
    """

    def __getitem__(self, register: str, /) -> int: ...
    def __setitem__(self, register: str, value: int, /) -> None: ...
    def set(self, register: str, value: int, /, *, unsafe: bool = False) -> None:
        """Set one; with `unsafe` whatever it breaks."""

class Rule:
    """What vm.rule() has set up."""

    hits: int
    """How many exits it has matched."""
    value: int
    """The number that "const" answers and "shadow" keeps."""
    def remove(self) -> None:
        """End it."""

class Watch:
    hits: Final[int]
    rate: Final[int]
    def remove(self) -> None: ...

class Request:
    """A request of a guest's virtio driver: bytes to read, then room for an answer (virtio 1.1, 2.6)."""

    readable: Final[int]
    """Bytes left to be read."""
    writable: Final[int]
    """Bytes of room left."""
    def read(self, size: int = ..., /) -> bytes:
        """Take the next bytes out."""
    def readinto(self, buf: Any, /) -> int:
        """The same into a buffer; how many."""
    def number(self, size: int, /) -> int:
        """Take the next 1 to 8 bytes out as a number, little-endian; those that are not there are 0."""
    def write(self, buf: Any, /) -> int:
        """Answer; how many bytes there was room for."""
    def data(self, size: int = ..., /) -> list[memoryview]:
        """The next bytes where they are, in guest RAM."""
    def room(self, size: int = ..., /) -> list[memoryview]:
        """Where the next bytes of the answer go, in guest RAM."""
    def done(self) -> None:
        """Give it back to the driver."""

class Virtio:
    """A virtio device's place in a VM: what hv.virtio.Device.port is."""

    slot: Final[int]
    """Its slot, 0 to 31."""
    status: Final[int]
    """The driver's status byte (virtio 1.1, 2.1)."""
    features: Final[int]
    """The features the driver has accepted."""
    fault: Final[str | None]
    """What was wrong with the driver's queues, when the device needs a reset."""
    def pop(self, queue: int, /) -> Request | None:
        """The next request in a queue."""
    def configure(self, config: bytes, /) -> None:
        """New contents of the configuration space; the driver is told."""

class Pages:
    """Zeroed memory of so many bytes beside the GC heap, as a buffer. It ends with the object."""

    def __init__(self, size: int, /) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

class VM:
    """What must be native of hv.VM."""

    cpu: Final[tuple[VCPU, ...]]
    console: Final[Console]
    memory: Final[Memory]
    el2: Final[EL2Registers]
    name: Final[str]
    vmid: Final[int]
    """Its VMID, 1 to 255 (D5.9)."""
    running: Final[bool]
    closed: Final[bool]
    stop_time: bool

    def __init__(self, name: str, ram: int, cpus: int, /) -> None: ...
    def hook(self, kind: str, key: Any, handler: Any, /) -> bool: ...
    def mmio(self, ipa: int, size: int, handler: Any, /) -> bool: ...
    def rule(self, *rule: Any) -> Rule: ...
    def who(self, kind: Any, key: Any, /) -> tuple[int, list[Any]]: ...
    def el1(self, classes: int, kinds: int, handler: Any, /) -> None: ...
    def irq(self, intid: int, cpu: int = 0, /) -> IRQ: ...
    def reset(self) -> None: ...
    def stage2(self, op: str, ipa: int, size: int, pa: int | None, flags: int, unsafe: bool, /) -> None: ...
    def stage2_run(self, ipa: int, /) -> tuple[int, int, int, int] | None: ...
    def virtio(self, *device: Any) -> Virtio: ...
    def trace(self, kinds: int, filters: list[tuple[int, int | None]], records: int, key: int, /) -> Any: ...
    def watch(self, address: int, size: int, rights: int, f: Any, physical: bool, action: int, /) -> Watch: ...
    def breakpoint(self, ipa: int | None, va: int | None, *more: Any) -> Any: ...
    def ipa_of(self, va: int, el0: bool = False, /) -> int | None: ...
    def debug(self, kind: str, address: int | None, control: int, /) -> int | None: ...
    def hold(self, step: str, *snapshot: Any) -> Any: ...
    def fuzz(self, step: str, *what: Any) -> Any: ...
    def replay(self, step: str, *what: Any) -> Any: ...
    def skew(self, ticks: int, /) -> int: ...
    def run(self, timeout_ms: int | None, /) -> Exit: ...
    def start(self, cpu: int | None, /) -> None: ...
    def attach(self, key: int, /) -> bool: ...
    def pause(self) -> bool: ...
    def flash(self, ipa: int, size: int, /) -> None: ...
    def close(self) -> None: ...
