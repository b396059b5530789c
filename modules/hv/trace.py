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

from .note import string
from .syndrome import class_name, register

# As hv_native/trap/trace.h has them.
_KINDS = (
    "exit", "irq", "svc", "hvc", "psci", "sysreg", "mmio", "fault", "enter", "leave", "switch", "python",
)  # fmt: skip
_WORDS = _KINDS[1:8] + _KINDS[10:]
_SVC, _ENTER, _LEAVE, _SWITCH = 2, 8, 9, 10  # of _KINDS
_NOP = 0xD503_201F
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
_IRQS = {1: "kick", 2: "vgic", 26: "EL2 timer", 27: "virtual timer"}
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
            kinds |= 0x0FD & ~(1 << _SVC)
        elif kind == "sched":
            kinds |= 0x300
        elif kind in _WORDS:
            kinds |= 1 << _KINDS.index(kind)
        else:
            names = ", ".join(("exit",) + _WORDS + ("sched", "virtio"))
            raise ValueError(f"no exits of kind {word!r}: {names}")
    if not kinds:
        raise ValueError("what is to be traced?")
    return kinds, filters


# -- Places in a guest's kernel that are told of as exits are


def _tell(vm, kind):
    """Plant it, or say that it is planted already: for as many traces as want it."""
    told = vm._told = vm._told or {}
    if kind in told:
        told[kind][0] += 1
        return
    places = (_switches if kind == _SWITCH else _vector)(vm)
    if not places:  # nothing is known of its kernel: by the vectors, as they are executed
        vm.trap_el1_exceptions(["svc"], lambda cpu: None)
        return
    entry = [1, [ipa for _, ipa, _ in places]]
    action = 5 if kind == _SWITCH else 4
    try:
        for va, ipa, members in places:
            more = 1, False, None, members, None
            entry.append(vm._vm.breakpoint(ipa, va, False, action, None, *more))
    except BaseException:
        _remove(entry)
        raise
    told[kind] = entry


def _tell_no_more(vm, kind):
    entry = vm._told and vm._told.get(kind)
    if entry:
        entry[0] -= 1
        if not entry[0]:
            del vm._told[kind]
            _remove(entry)


def _remove(entry):
    while len(entry) > 2:
        try:
            entry.pop().remove()
        except ValueError:
            pass  # the VM is closed


def _words(vm, ipa, n):
    data = vm.memory[ipa : ipa + 4 * n]
    return unpack_from(f"<{n}I", data, 0)


def _vector(vm):
    """Where in the vector of what EL0's 64-bit programs do: their registers are all still there. A list of one."""
    from . import breaks

    vbar = vm.cpu[0].sysreg["VBAR_EL1"]
    kernel = vm.symbols.kernel() if vm._linux or vbar >> 63 else None
    va = kernel and kernel.find(
        "vectors"
    )  # with KPTI VBAR_EL1 is another one while a program runs
    va = (va or vbar) + 0x400  # DDI 0487 D1.10.2: a lower EL in AArch64, synchronous
    ipa = breaks.find(vm, va)[1] if va != 0x400 else None
    base = vm.memory.base
    if ipa is None or not base <= ipa <= base + vm.memory.size - 128:
        return []
    # Linux comes by its SUB SP, SP, #n whether by KPTI's vectors or not, and that is done in the short way.
    for i, word in enumerate(_words(vm, ipa, 8)):
        if word & 0xFFC0_03FF == 0xD100_03FF:
            return [(va + 4 * i, ipa + 4 * i, None)]
    return [(va, ipa, None)]


def _switches(vm):
    """Where the next task is in x1, and where the current one has got a new name, by execve; with where in its struct its
    number and name are.
    """
    from . import breaks, processes

    number, name = processes.members(vm)
    places = []
    for function, current in (("__switch_to", 0), ("setup_new_exec", 1 << 32)):
        va, ipa, _ = breaks.find(vm, function)
        # The NOPs at its beginning are for Linux's own tracer, which needs the first one.
        words, i = _words(vm, ipa, 5), 0
        while i < 4 and words[i] != _NOP:
            i += 1
        i = 0 if i == 4 else i + (words[i + 1] == _NOP)
        places.append((va + 4 * i, ipa + 4 * i, number | name << 16 | current))
    return places


class Record(
    namedtuple("Record", ("us", "core", "cpu", "kind", "pc", "what", "value", "task", "esr"))
):
    """One exit. us: of the machine's counter; kind: as in vm.trace(); what: the register, the function, the system call or
    the class.

    value: x0 of a call, x8 of an SVC, what an MSR writes, the IPA of an access or a fault, the INTID of an interrupt, the
    pid of the process that is switched to. task: "sh-123", the process on this vCPU by the last switch before, or "". esr: its syndrome.
    """

    def __repr__(self):
        value = (
            f" {self.value:#x}"
            if self.kind not in ("irq", "enter", "leave", "switch", "svc")
            else ""
        )
        of = f" of {self.task}" if self.task else ""
        at = f" at pc {self.pc:#x}" if self.kind != "switch" else ""
        return f"<{self.us} us: cpu {self.cpu} on core {self.core} {self.kind} {self.what}{value}{of}{at}>"

    __str__ = __repr__


def device(ipa):
    """The name of the device of a guest's machine that is there, or None."""
    for name, (base, size) in _DEVICES.items():
        if base <= ipa < base + size:
            return name
    return None


def psci(id):
    """The name of a function of PSCI's."""
    return _PSCI.get(id & 0x1F, hex(id))


def _name(kind, esr, value):
    if kind == "psci":
        return psci(value)
    if kind == "sysreg":
        return ("MRS " if esr & 1 else "MSR ") + register(esr)
    if kind == "mmio":
        return f"{'store' if esr & 64 else 'load'} {device(value) or ''}".rstrip()
    if kind == "svc":
        from .syscalls import name

        return name(value)
    if kind == "irq":
        return f"{value} {_IRQS[value]}" if value in _IRQS else str(value)
    return "" if kind in ("enter", "leave") else class_name(esr >> 26) or hex(esr >> 26)


def _comm(first, second):
    return string(first.to_bytes(8, "little") + second.to_bytes(8, "little"))


def _time(head):
    return head[0]


class Tracer:
    """What traces and counts have in common."""

    def __init__(self, vm, what, records, key):
        self.vm = vm
        self.what: str = what
        kinds, filters = _parse(what)
        self._told = []
        try:
            for kind in (_SVC, _SWITCH):
                if kinds >> kind & 1:
                    _tell(vm, kind)
                    self._told.append(kind)
            self._trace = vm._vm.trace(kinds, filters, records, key)
        except BaseException:
            self._unplant()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _unplant(self):
        while self._told:
            _tell_no_more(self.vm, self._told.pop())

    def stop(self) -> None:
        """It costs nothing from now on, and its memory is free. Again: nothing."""
        self._trace.stop()
        self._unplant()

    @property
    def frozen(self) -> bool:
        """Nothing is added: so a flight recorder keeps what was before, as vm.trace(freeze="panic") does."""
        return self._trace.frozen

    @frozen.setter
    def frozen(self, value: bool) -> None:
        self._trace.frozen = bool(value)


class Trace(Tracer):
    """The exits of a VM: vm.trace(). Iterating takes out what has come by then, oldest first."""

    def __init__(self, vm, what, size, freeze):
        records = 64
        while records * 64 <= size:
            records *= 2
        super().__init__(vm, what, records, -1)
        self._frequency = mrs("CNTFRQ_EL0")
        self._tasks = {}  # by vCPU
        self._kept = ()  # each core's that has been taken out, and not been read
        vm._traces += (self,)
        self._freeze = None
        if freeze is not None:
            try:
                self._freeze = vm.on(freeze, self._freeze_now)
            except BaseException:
                self.stop()
                raise

    def _freeze_now(self, cpu):
        self.frozen = True

    def stop(self) -> None:
        """It costs nothing from now on, and its memory is free. Again: nothing."""
        super().stop()
        self.vm._traces = tuple([t for t in self.vm._traces if t is not self])
        if self._freeze:
            b, self._freeze = self._freeze, None
            try:
                b.remove()
            except ValueError:
                pass  # it was removed, or the VM is closed

    def __repr__(self):
        return f"<Trace of {self.vm.name}: {self.what}, {self.lost} lost>"

    @property
    def lost(self) -> int:
        """How many records were written over before they were taken out."""
        return self._trace.lost

    def _raw(self, keep=False):
        # (time, pc, value, esr, kind, cpu, core), by time: each core's are.
        rings, kept = [], self._kept
        while (data := self._trace.read(1 << 24, len(rings))) is not None:
            rings.append(kept[len(rings)] + data if kept else data)
        self._kept = rings if keep else ()
        first = [(unpack_from("<Q", data, 0), data, 0) for data in rings if data]
        while first:
            first.sort(key=_time)
            _, data, at = first[0]
            until = first[1][0] if len(first) > 1 else None
            while at < len(data):
                time = unpack_from("<Q", data, at)
                if until and time > until:
                    first[0] = time, data, at
                    break
                yield unpack_from("<QQQIBBB", data, at)
                at += 32
            else:
                first.pop(0)

    def peek(self, most):
        """The last of what there is, as Records, and all of it stays."""
        tasks, got = dict(self._tasks), []
        for raw in self._raw(True):
            got.append(raw)
            if len(got) > 2 * most:
                got = self._last(got, most)
        got = [self._record(raw) for raw in self._last(got, most)]
        self._tasks = tasks
        return got

    def _last(self, raw, most):
        # Of the others only whose turn it was is wanted.
        for one in raw[:-most]:
            if one[4] == _SWITCH:
                self._switched(one)
        return raw[-most:]

    def __iter__(self):
        for raw in self._raw():
            yield self._record(raw)

    def _record(self, raw):
        ticks, pc, value, esr, kind, cpu, core = raw
        us, task = ticks * 1_000_000 // self._frequency, self._tasks.get(cpu, "")
        if kind == _SWITCH:
            what, value, pc = self._switched(raw), esr, 0
        else:
            what = _name(_KINDS[kind], esr, value)
        return Record(us, core, cpu, _KINDS[kind], pc, what, value, task, esr)

    def _switched(self, raw):
        _, first, second, tgid, _, cpu, _ = raw
        name = _comm(first, second)
        self._tasks[cpu] = f"{name}-{tgid}"
        return name

    def save(self, path: str) -> int:
        """Take out what has come, into a file that ui.perfetto.dev and Chrome open (the Trace Event Format, JSON): the
        VM is a process, vCPUs are threads. How many records it has.
        """
        with open(path, "w") as f:
            return self.write(f)

    def write(self, f) -> int:
        """The same, to anything that has write(text)."""
        events, n, us = _Events(f, self.vm, _SWITCH in self._told), 0, 0
        inside, runs = {}, {}  # since when: of a vCPU, in the guest; of its process, with its name
        for raw in self._raw():
            n += 1
            ticks, _, _, _, kind, cpu, core = raw
            us = ticks * 1_000_000 / self._frequency
            if kind == _ENTER:
                inside[cpu] = us
            elif kind == _LEAVE:
                if cpu in inside:
                    events.run(cpu, f"on core {core}", inside.pop(cpu), us)
            elif kind == _SWITCH:
                if cpu in runs:
                    events.process(cpu, *runs[cpu], us)
                self._switched(raw)
                runs[cpu] = self._tasks[cpu], us
            else:
                events.exit(us, self._record(raw))
        for cpu, run in runs.items():
            events.process(cpu, *run, us)
        events.end()
        return n


class _Events:
    """The Trace Event Format of one VM, as text."""

    def __init__(self, f, vm, switches):
        from json import dumps

        self._f, self._dumps, self._before = f, dumps, "\n"
        self._pid = vm._vm.vmid or 1
        # Of threads Perfetto takes 0 for no thread, and those of two processes with one number for one.
        self._vcpus = 1000 * self._pid
        self._processes = self._vcpus + 500
        f.write('{"displayTimeUnit": "ns", "traceEvents": [')
        self._name(self._vcpus, "process_name", vm.name)
        for cpu in range(len(vm.cpu)):
            self._name(self._vcpus + cpu, "thread_name", f"vCPU {cpu}")
            if switches:
                self._name(self._processes + cpu, "thread_name", f"processes of vCPU {cpu}")

    def _put(self, event):
        self._f.write(f'{self._before}{{"pid":{self._pid},{event}}}')
        self._before = ",\n"

    def _name(self, tid, kind, name):
        self._put(f'"ph":"M","tid":{tid},"name":"{kind}","args":{{"name":{self._dumps(name)}}}')

    def _over(self, tid, name, begun, end, kind):
        self._put(
            f'"ph":"X","tid":{tid},"ts":{begun:.3f},"dur":{end - begun:.3f},"cat":"{kind}","name":{self._dumps(name)}'
        )

    def run(self, cpu, name, begun, end):
        self._over(self._vcpus + cpu, name, begun, end, "leave")

    def process(self, cpu, name, begun, end):
        self._over(self._processes + cpu, name, begun, end, "switch")

    def exit(self, us, record):
        task = f',"task":{self._dumps(record.task)}' if record.task else ""
        self._put(
            f'"ph":"i","s":"t","tid":{self._vcpus + record.cpu},"ts":{us:.3f},"cat":"{record.kind}",'
            f'"name":"{record.kind} {record.what}","args":'
            f'{{"pc":"{record.pc:#x}","value":"{record.value:#x}","core":{record.core}{task}}}'
        )

    def end(self):
        self._f.write("\n]}\n")


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

    def histogram(self, most: int = 20, width: int = 40) -> str:
        """The keys that come most often, with names where they have any, as lines with bars."""
        counts = list(self.counts().items())[:most]
        lines = [(self._label(key), n) for key, n in counts]
        wide = max([len(label) for label, _ in lines] + [0])
        top = max([n for _, n in lines] + [1])
        return "\n".join(
            [f"{label:>{wide}} {n:8} {'#' * max(1, n * width // top)}" for label, n in lines]
        )

    def _label(self, key):
        if key is None:
            return "others"
        if self.what == "svc" and self.key in ("x8", "value"):
            from .syscalls import name

            return name(key)
        if self.key == "pc":
            try:
                return self.vm.symbol(key)
            except (KeyError, ValueError):
                pass
        return str(key) if self.key == "cpu" else hex(key)
