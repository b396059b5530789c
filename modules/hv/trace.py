# SPDX-License-Identifier: MIT
"""vm.trace() and vm.count(): what a guest's exits were.

t = vm.trace("psci sysreg:TTBR0_EL1 mmio:pl011")
vm.run()
for record in t: print(record)
t.save("/disk/boot.json")  # for ui.perfetto.dev
"""

from collections import OrderedDict, namedtuple
from struct import unpack_from

from _hv import mrs, sysreg

from .syndrome import class_name, register
from .vm import size as _bytes

# As hv_native/trap/trace.h has them.
_KINDS = ("exit", "irq", "svc", "hvc", "psci", "sysreg", "mmio", "fault", "enter", "leave")
_DEVICES = {  # of the machine that a guest sees
    "flash": (0, 0x0800_0000),
    "gicd": (0x0800_0000, 0x1_0000),
    "gicc": (0x0801_0000, 0x1_0000),
    "gicr": (0x080A_0000, 0xF6_0000),
    "pl011": (0x0900_0000, 0x1000),
    "pl031": (0x0901_0000, 0x1000),
    "virtio": (0x0A00_0000, 0x4000),
}
_KEYS = {"pc": 32, "value": 33, "cpu": 34}
_PSCI = {
    0: "PSCI_VERSION", 1: "CPU_SUSPEND", 2: "CPU_OFF", 3: "CPU_ON", 4: "AFFINITY_INFO", 5: "MIGRATE",
    6: "MIGRATE_INFO_TYPE", 8: "SYSTEM_OFF", 9: "SYSTEM_RESET", 10: "PSCI_FEATURES", 18: "SYSTEM_RESET2",
}  # fmt: skip


def _place(where):
    if where in _DEVICES:
        return _DEVICES[where]
    try:
        return int(where, 0), 0x1000
    except ValueError:
        names = ", ".join(sorted(_DEVICES))
        raise ValueError(f"mmio: {where!r} is neither an address nor one of {names}") from None


def _parse(what):
    # The bits of the kinds, and what narrows them.
    kinds, filters = 0, []
    for word in what.split():
        kind, _, where = word.partition(":")
        if kind == "virtio":
            kind, where = "mmio", where or "virtio"
        if kind == "sysreg" and where:
            filters.append((sysreg(where)[1], None))
        elif kind == "mmio" and where:
            filters.append(_place(where))
        elif where:
            raise ValueError(f"{word!r}: only sysreg: and mmio: have something behind the colon")
        if kind == "exit":
            kinds |= 0x3FF & ~0x302 | 1
        elif kind == "sched":
            kinds |= 0x300
        elif kind in _KINDS[1:8]:
            kinds |= 1 << _KINDS.index(kind)
        else:
            names = ", ".join(("exit",) + _KINDS[1:8] + ("sched", "virtio"))
            raise ValueError(f"no exits of kind {word!r}: {names}")
    if not kinds:
        raise ValueError("what is to be traced?")
    return kinds, filters


class Record(namedtuple("Record", ("us", "core", "cpu", "kind", "pc", "what", "value"))):
    """One exit. us: of the machine's counter; kind: as in vm.trace(); what: the register, the function or the class.

    value: x0 of a call, x8 of an SVC, what an MSR writes, the IPA of an access or a fault."""

    def __repr__(self):
        value = f" {self.value:#x}" if self.kind not in ("irq", "enter", "leave") else ""
        return f"<{self.us} us: cpu {self.cpu} on core {self.core} {self.kind} {self.what}{value} at pc {self.pc:#x}>"

    __str__ = __repr__


def _name(kind, esr, value):
    if kind == "psci":
        return _PSCI.get(value & 0x1F, hex(value))
    if kind == "sysreg":
        return ("MRS " if esr & 1 else "MSR ") + register(esr)
    if kind == "mmio":
        for name, (base, size) in _DEVICES.items():
            if base <= value < base + size:
                return ("store " if esr & 64 else "load ") + name
        return "store" if esr & 64 else "load"
    if kind == "svc":
        return str(value)
    return "" if kind in ("irq", "enter", "leave") else class_name(esr >> 26) or hex(esr >> 26)


class Tracer:
    """What traces and counts have in common."""

    def __init__(self, vm, what, records, key):
        self.vm = vm
        self.what: str = what
        kinds, filters = _parse(what)
        if kinds & 4:
            vm.trap_el1_exceptions(["svc"], lambda cpu: None)
        self._trace = vm._vm.trace(kinds, filters, records, key)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self) -> None:
        """It costs nothing from now on, and its memory is free. Again: nothing."""
        self._trace.stop()

    @property
    def frozen(self) -> bool:
        """Nothing is added: so a flight recorder keeps what was before, as vm.on("panic", ...) may say."""
        return self._trace.frozen

    @frozen.setter
    def frozen(self, value: bool) -> None:
        self._trace.frozen = bool(value)


class Trace(Tracer):
    """The exits of a VM: vm.trace(). Iterating takes out what has come by then, oldest first."""

    def __init__(self, vm, what, size):
        records = 64
        while records * 64 <= _bytes(size):
            records *= 2
        super().__init__(vm, what, records, -1)
        self._frequency = mrs("CNTFRQ_EL0")

    def __repr__(self):
        return f"<Trace of {self.vm.name}: {self.what}, {self.lost} lost>"

    @property
    def lost(self) -> int:
        """How many records were written over before they were taken out."""
        return self._trace.lost

    def _raw(self):
        # (time, pc, value, esr, kind, cpu, core), by time.
        data = self._trace.read(1 << 24)
        got = [unpack_from("<QQQIBBB", data, at) for at in range(0, len(data), 32)]
        got.sort()
        return got

    def __iter__(self):
        for record in self._raw():
            yield self._record(record)

    def _record(self, raw):
        ticks, pc, value, esr, kind, cpu, core = raw
        us, kind = ticks * 1_000_000 // self._frequency, _KINDS[kind]
        return Record(us, core, cpu, kind, pc, _name(kind, esr, value), value)

    def save(self, path: str) -> int:
        """Take out what has come, into a file that ui.perfetto.dev and Chrome open (the Trace Event Format, JSON): the
        VM is a process, vCPUs are threads. How many records it has.
        """
        with open(path, "w") as f:
            return self.write(f)

    def write(self, f) -> int:
        """The same, to anything that has write(text)."""
        from json import dumps

        pid, n = self.vm._vm.vmid or 1, 0
        f.write('{"displayTimeUnit": "ns", "traceEvents": [\n')
        about = [(None, "process_name", self.vm.name)]
        about += [(n, "thread_name", f"vCPU {n}") for n in range(len(self.vm.cpu))]
        f.write(",\n".join([dumps(_about(pid, *line)) for line in about]))
        inside = {}
        for raw in self._raw():
            record = self._record(raw)
            n += 1
            us = raw[0] * 1_000_000 / self._frequency
            if record.kind == "enter":
                inside[record.cpu] = us
            elif record.kind == "leave":
                begun = inside.pop(record.cpu, None)
                if begun is not None:
                    f.write(",\n" + dumps(_event(pid, record, begun, us - begun)))
            else:
                f.write(",\n" + dumps(_event(pid, record, us)))
        f.write("\n]}\n")
        return n


def _about(pid, tid, kind, name):
    return {"ph": "M", "pid": pid, "tid": tid or 0, "name": kind, "args": {"name": name}}


def _event(pid, record, us, dur=None):
    event = {"pid": pid, "tid": record.cpu, "ts": us, "cat": record.kind}
    if dur is not None:
        return dict(event, ph="X", dur=dur, name=f"on core {record.core}")
    args = {"pc": hex(record.pc), "value": hex(record.value), "core": record.core}
    return dict(event, ph="i", s="t", name=f"{record.kind} {record.what}".rstrip(), args=args)


class Count(Tracer):
    """Exits of a VM, counted by a key: vm.count()."""

    def __init__(self, vm, what, key):
        if key not in _KEYS and key not in [f"x{n}" for n in range(31)]:
            raise ValueError(f'a key is "pc", "x0" to "x30", "value" or "cpu", not {key!r}')
        self.key: str = key
        super().__init__(vm, what, 64, _KEYS[key] if key in _KEYS else int(key[1:]))

    def __repr__(self):
        return (
            f"<Count of {self.vm.name}: {self.what} by {self.key}, {sum(self.counts().values())}>"
        )

    def counts(self) -> dict:
        """{key: how often}, the most first."""
        counts = self._trace.counts()
        return OrderedDict(sorted(counts.items(), key=lambda item: -item[1]))
