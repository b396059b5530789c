# SPDX-License-Identifier: MIT
"""hv.VM: a virtual machine like QEMU's "virt", as far as its guest can tell.

RAM is at IPA 0x4000_0000, a PL011 at 0x0900_0000, PSCI answers HVC and SMC. Everything else is what
a script adds: handlers for calls, addresses and registers.
"""

import _hv

from .traps import Traps, number

EL1H = 0x5  # PSTATE: EL1 with its own stack pointer, interrupts enabled
DETACH = 0x1C  # Ctrl-\\: mpremote and QEMU take Ctrl-], Ctrl-X and Ctrl-A


def _bytes(value):
    """65536, "64K", "64M" or "1G"."""
    if isinstance(value, int):
        return value
    try:
        return int(value[:-1]) << 10 + 10 * "KMG".index(value[-1].upper())
    except (ValueError, IndexError, TypeError, AttributeError):
        raise ValueError(f'a size is bytes or "64K", "64M", "1G", not {value!r}') from None


def _watched(source, load):
    """load(progress), with something to look at while it goes on, where somebody looks."""
    if not _hv.interactive():
        return load(None)
    from .progress import Bar

    with Bar(source if isinstance(source, str) else "image") as bar:
        return load(bar)


class VM(Traps):
    """A virtual machine. name: for messages. ram: bytes, or "64M". cpus: 1 to 8 vCPUs.
    pin: the core its vCPUs run on, or a tuple with one for each; None: any (cpu.pin).

    MemoryError when the machine has no room; a `with` statement closes it at the end.
    """

    # What is so until something happens: looked up here, it is not stored into every new VM.
    _images = ()  # ELF files: (source, what is added to its addresses)
    _linux = None  # where an Image was loaded
    _symbols = None
    _loads = ()  # what reset() does to have it in memory again
    _used = False  # it has run since it was reset
    _flash = ()  # (IPA, bytes)
    _watches = ()
    _nodes = ()  # of the device tree
    _breaks = ()  # hv.breaks.Breakpoint
    _module_watch = ()  # hv.lkm.watch()
    _told = None  # of hv.trace: what is planted for it
    _faults = ()  # hv.inject.Fault
    _failed = None  # what could not be loaded: there is nothing to run
    _kept = ()  # what has save() and load(state)
    _states = ()  # of those, from a file
    _history = None  # hv.history.History
    _crash = None  # hv.capsule.OnCrash
    _traces = ()  # hv.trace.Trace
    _record = None  # hv.replay.Record
    _snapshots = ()  # hv.snapshot.Snapshot by number
    _forked = False  # its RAM is a snapshot's until it is written
    _debugger = None  # what hv.gdb() made: it holds the VM, and is told when it stops

    def __init__(self, name: str = "guest", ram: int | str = "64M", cpus: int = 1, pin=None):
        if not isinstance(name, str):
            raise TypeError(f"a VM's name is a string, not {name!r}")
        self._vm = vm = _hv.VM(name, _bytes(ram), cpus, self._forked)
        for i, cpu in enumerate(vm.cpu if pin is not None else ()):
            cpu.pin = pin if isinstance(pin, int) else pin[i]
        vm.wrapper = self
        self.name: str = name  # for messages
        self.cpu: tuple[_hv.VCPU, ...] = vm.cpu  # its vCPUs
        self.memory: _hv.Memory = vm.memory  # RAM by IPA
        self.el2: _hv.EL2Registers = vm.el2  # the EL2 registers it is entered with
        self.exit: _hv.Exit | None = None  # how it last ended in the background
        self.console: _hv.Console = vm.console  # the other end of its PL011
        self._virtio = {}  # devices by slot

    # -- Loading and running

    def load(self, source, at=None, entry=None, dtb=None, cmdline: str = ""):
        """Load an ELF, arm64 Image or flat binary (a path, file or buffer; also gzip'd) and make
        cpu 0 ready to start it. An Image or flat binary is given a device tree in x0: above it, with
        a copy at the base of RAM if that is free, or where dtb= says (an IPA). An ELF is with
        dtb=True; dtb=False is without. cmdline: /chosen/bootargs of the tree. Returns what was loaded
        and where (hv.loader.Loaded). When it raises there is nothing to run.
        """
        from .loader import load, place_tree

        for value, what in ((at, "at="), (entry, "entry="), (dtb, "dtb=")):
            value is None or number(value, what)
        if not isinstance(cmdline, str):
            raise TypeError(f"cmdline= is a string, not {cmdline!r}")

        def put():
            loaded = _watched(source, lambda bar: load(self.memory, source, at, entry, bar))
            if dtb or (dtb is None and (cmdline or loaded.kind != "elf")):
                tree = self.device_tree(bootargs=cmdline) if cmdline else self.device_tree()
                place = None if dtb is None or dtb is True else dtb
                loaded.dtb = place_tree(self.memory, tree, loaded, place)
            return loaded

        loaded = self._startable_by(put, source, at is None)
        if at is None:
            self._images, self._linux = (), None
        if loaded.kind == "image":
            self._linux = loaded
        if loaded.kind == "elf":
            self._images += ((source, loaded.slide),)
        before = self._loads if at is not None else ()
        self._loads = before + (lambda: self.load(source, at, entry, dtb, cmdline),)
        return loaded

    def _startable_by(self, put, source, fresh):
        """Load it by put(). When that fails, it is not startable as if it had been."""
        if self.running:
            raise RuntimeError(f"{self.name} is running: vm.pause() stops it")
        if fresh:
            self._fresh()
        self.cpu[0].reset(0)
        self._failed = source if isinstance(source, str) else getattr(source, "name", "an image")
        loaded = put()
        self.cpu[0].reset(loaded.entry, loaded.dtb or 0)
        self._failed = None
        return loaded

    def _startable(self):
        if self._debugger and self._debugger.holds:
            raise RuntimeError(f"gdb holds {self.name}: go on there, or hv.gdb(vm).close()")
        if self._failed and self.cpu[0].pc == 0:
            raise RuntimeError(f"{self.name} has nothing to run: loading {self._failed} failed")
        if self._record:
            self._record._startable()
        self._used = True

    @property
    def symbols(self):
        """Where the names of its places come from: ELF files that were loaded, those and System.map's that
        vm.symbols.add(source, slide=0) is given, and a Linux's own, in its memory, also where KASLR moved it.
        """
        if self._symbols is None:
            from .symbols import Symbols

            self._symbols = Symbols(self)
        return self._symbols

    def _module_names(self):
        # For hv.symbols, which hv.lkm is above.
        from .lkm import Names

        return Names(self)

    @property
    def kernel(self):
        """The Linux that runs in it, seen from outside: an hv.kernel.Kernel. AttributeError when there is none, or not yet."""
        from .kernel import of

        return of(self)

    def symbol(self, name: str | int):
        """The address of a symbol (see `symbols`); KeyError when there is none such. Of an address: the
        function or object it is in, as "name+0x10".
        """
        from .symbols import at, resolve

        return at(self, name) if isinstance(name, int) else resolve(self, name)

    def address(self, where: int | str) -> int:
        """The address of a place in the guest: "name", "name+0x10", or an address as it is."""
        from .symbols import resolve

        return resolve(self, where)

    def watch(
        self,
        where: int | str | None = None,
        size: int | None = None,
        rights: str = "w",
        f=None,
        *,
        ipa: int | None = None,
        action: str | None = None,
    ):
        """Watch a range of the guest's memory: `size` bytes (None: the symbol's) from `where` on, "name", "name+0x10" or
        an address of the guest's by its tables as they are now, or from the physical address ipa=; for loads ("r"), stores
        ("w") or both ("rw"). Any size and any number. Returns a Watch, which counts: hits, kind, off(), on(), remove(). As
        a decorator it gets its function.

        Of an address, small or a power of two, it is one of the vCPUs' own four watchpoints while there is one that the
        guest does not have (kind "hardware"): it sees that address, and nothing else costs. Otherwise, and of ipa=, it is by
        its pages: all accesses are seen, by any address, and those beside it cost.

        f(cpu, address, size, old, new) is called before each access, with the part of it that is in the range, 8 bytes at
        a time. hv.SKIP: it is not made; hv.STOP: the VM stops behind it. Of a device's access it hears soon after: cpu is
        None, and old and new are when it was of more than 8 bytes. action, without f: "count", "log" (hv.events()), "stop".
        """
        from .watch import watch

        return watch(self, where, size, rights, f, ipa, action)

    def trace(self, what: str, size: int | str = "256K", freeze: int | str | None = None):
        """Note each exit of these kinds, in C, in a ring of `size` bytes a core: a Trace, to iterate over, save(path) for
        ui.perfetto.dev, or stop(). Full, a ring loses its oldest.

        what, some of: exit (all but svc, switch, irq, sched), irq, hvc, psci, sysreg, mmio, fault, python (those that a
        handler may be asked about), sched (into the guest and out of it). "sysreg:TTBR0_EL1" and "mmio:pl011",
        "mmio:0x9000000", "virtio" are of that register, device or page only. Of what the guest does without an exit:
        svc, the system calls of 64-bit programs, at EL1's vector, of any kernel; switch, from process to process, of a
        Linux with BTF. Both are planted as vm.on() does.
        freeze: a place, as "panic": when the guest comes by, nothing more is added (Trace.frozen).
        """
        from .trace import Trace

        return Trace(self, what, _bytes(size), freeze)

    def count(self, what: str, key: str = "pc"):
        """Count such exits by a key, in C: "pc", "x0" to "x30", "value" (what trace() shows) or "cpu"; system calls by
        vm.count("svc", "x8"). A Count: counts(), a dictionary, most first; histogram(), the same as text; stop(). 1,024
        keys a core; what finds no place is under None.
        """
        from .trace import Count

        return Count(self, what, key)

    def why(self, exit=None) -> None:
        """Print, in words, what an exit was, who answers it (device, rule, handler, PSCI, nobody), in which way, about how
        many instructions that costs, and what would change it: of the last one that C or Python looked at as a whole, of
        an Exit, or of a record of vm.trace(), which also has those that were finished on the way.
        """
        from .why import why

        print(why(self, exit))

    def explain(self, where: int | str) -> None:
        """Print what there is at a place of the guest's ("name+0x10", or an address): its symbol, its IPA and the rights
        that stage 2 gives, who has taken some, the instruction, breakpoints, watches, or the device and its rules.
        """
        from .why import at

        print(at(self, where))

    @property
    def inject(self):
        """Faults of the machine, made on purpose, the same again from the same seed: irq(), load(), disk(), clock(). See
        hv.inject.
        """
        from .inject import Inject

        return Inject(self)

    def faults(self) -> tuple:
        """All that vm.inject has made, and not been removed."""
        return self._faults

    def watches(self) -> tuple:
        """All that vm.watch() has made, and not been removed."""
        return self._watches

    @staticmethod
    def _gic():
        return _hv.platform()["gic"] or 2

    def device_tree(self, **more):
        """The tree (hv.fdt.Tree) that describes this VM; `more` as in hv.machine_dt.virt."""
        from .machine_dt import virt

        ram = ((self.memory.base, self.memory.size),)
        more.setdefault("nodes", self._nodes)
        more.setdefault("pmu", _hv.platform()["pmu"] != 0)
        return virt(
            ram, len(self.cpu), self._gic(), virtio=sorted(self._virtio), flash=self._flash, **more
        )

    def passthrough(
        self,
        ipa: int,
        pa: int,
        size: int = 0x1000,
        irq: int | tuple[int, int] | None = None,
        *,
        unsafe: bool = False,
    ) -> None:
        """Give the guest a device of this machine, at `ipa`: nothing of it traps. Its interrupt
        becomes the guest's: `irq`, an INTID or (the machine's, the guest's), or what the machine's
        tree says. ValueError when the hypervisor uses it, or when it may write to memory by itself
        (DMA), anybody's: unless `unsafe`.
        """
        from .passthrough import give

        self._nodes += tuple(give(self, ipa, pa, size, irq, unsafe))

    def flash(self, ipa: int, bytes: int | str) -> None:
        """NOR flash, erased: a power of two from 512 KB on, bytes or "64M". The guest reads it as
        memory and programs it by Intel's command set; load(..., at=ipa) puts firmware into it. What
        it holds stays over reset(). On QEMU's virt: 64 MB at 0, for firmware, and at 0x0400_0000.
        """
        self._vm.flash(ipa, _bytes(bytes))
        self._flash += ((ipa, _bytes(bytes)),)

    def virtio(self, device, slot: int | None = None):
        """Plug in a virtio device (hv.virtio.Device) and return it. The guest finds it by the device
        tree of a later load() or linux(): in slot 0 to 31, the first free one by itself.
        """
        if not hasattr(device, "plug"):
            raise TypeError(f"a virtio device is an hv.virtio.Device, not {device!r}")
        if slot is None:
            slot = min([n for n in range(33) if n not in self._virtio])
        before, there = getattr(device, "port", None), slot in self._virtio
        if not there:
            self._virtio[slot] = device  # first: no slot is taken by what is not known here
        try:
            device.plug(self._vm, slot)
        except BaseException:
            if not there and getattr(device, "port", None) is before:
                del self._virtio[slot]
            raise
        return device

    def block(
        self,
        source,
        readonly: bool = False,
        cow: bool = False,
        legacy: bool = False,
        slot=None,
        quota: int | str | None = None,
    ):
        """Plug in a disk: see hv.block.Block for what `source` may be. cow: writes go to memory, and
        those beyond `quota` (bytes, or "64M") fail. legacy: with the transport of before virtio 1.0,
        here and of the others.
        """
        from .block import Block

        quota = None if quota is None else _bytes(quota)
        return self.virtio(Block(source, readonly, cow, legacy, quota), slot)

    def net(
        self,
        switch,
        mac: bytes | None = None,
        legacy: bool = False,
        slot=None,
        spoof: bool = False,
    ):
        """Plug in a network device on a switch (hv.Switch). mac: 6 bytes, or one of its own, and the
        only one it may send from unless `spoof`.
        """
        from .net import Net

        return self.virtio(Net(switch, mac, legacy, spoof), slot)

    def virtio_console(self, output=None, legacy: bool = False, slot=None):
        """Plug in a console besides the PL011: hv.virtio.Console."""
        from .virtio import Console

        return self.virtio(Console(output, legacy), slot)

    def rng(self, legacy: bool = False, slot=None):
        """Plug in a source of random numbers."""
        from .virtio import Rng

        return self.virtio(Rng(legacy), slot)

    @property
    def stage2(self):
        """The guest's IPA space: hv.stage2.Stage2."""
        from .stage2 import Stage2

        return Stage2(self._vm)

    def linux(self, kernel, initrd=None, cmdline: str = "", dtb=None):
        """Load an arm64 kernel Image (also gzip'd), an initrd and a device tree as its boot protocol
        wants them, and make cpu 0 ready to start it. dtb: the user's own tree (a path or a buffer),
        fitted to this VM.
        """
        from .loader import linux

        def put():
            tree = self._tree(dtb, cmdline)
            return _watched(kernel, lambda bar: linux(self.memory, kernel, tree, initrd, bar))

        loaded = self._startable_by(put, kernel, True)
        self._images, self._linux = (), loaded
        self._loads = (lambda: self.linux(kernel, initrd, cmdline, dtb),)
        return loaded

    def _fresh(self):
        # Nothing of what ran before goes on: vCPUs, interrupts.
        if self._used:
            self._used = False
            self._vm.reset()

    def _tree(self, dtb, cmdline):
        from uos import urandom

        chosen = {"bootargs": cmdline, "rng_seed": urandom(32)}
        if dtb is None:
            return self.device_tree(**chosen)
        from . import fdt
        from .machine_dt import adapt

        if isinstance(dtb, str):
            from .source import open_file

            with open_file(dtb, "rb") as file:
                dtb = file.read()
        ram = ((self.memory.base, self.memory.size),)
        virtio = sorted(self._virtio)
        return adapt(fdt.parse(dtb), ram, len(self.cpu), self._gic(), virtio=virtio, **chosen)

    def run(self, timeout_ms: int | None = None) -> _hv.Exit:
        """Run in the foreground, the guest's console on this one. Returns an Exit when the guest
        ends, or does something nobody answers: it can be run on. A reset of the guest starts it
        anew, and the time goes on. Ctrl-C raises KeyboardInterrupt.
        """
        if timeout_ms is not None:
            return self._run_for(timeout_ms)
        while True:
            self._startable()
            exit = self._run(None)
            if exit.reason != "reset":
                return exit
            self.reset()

    def _run_for(self, timeout_ms):
        from utime import ticks_diff, ticks_ms

        if number(timeout_ms, "timeout_ms") < 0:
            raise ValueError(f"timeout_ms is not negative, and not {timeout_ms}")
        while True:
            began = ticks_ms()
            self._startable()
            exit = self._run(timeout_ms)
            if exit.reason != "reset":
                return exit
            self.reset()
            timeout_ms = max(0, timeout_ms - ticks_diff(ticks_ms(), began))

    def _run(self, timeout_ms):
        exit = None
        try:
            exit = self._vm.run(timeout_ms)
        finally:
            if self._crash:
                self._crash.ended(exit)
            if self._record:
                self._record._note()
            if self._debugger and not (exit and exit.reason == "reset"):
                self._debugger.at_rest(exit)
        return exit

    def reset(self) -> None:
        """As after power-on: RAM zero, vCPUs and all native devices reset, and what was loaded
        (load, linux) loaded again, ready to start. Handlers, rules, stage 2 and el2 stay.
        """
        if self._record:
            self._record.drop()
        self._used = False
        self._vm.reset()
        if self._breaks:
            from .breaks import find_again

            find_again(self)
        loads, self._loads = self._loads, ()
        try:
            for load in loads:
                load()
        except BaseException:
            self._loads = loads  # the next reset tries again
            raise

    def start(self, cpu: int | None = None) -> None:
        """Run in the background, on every core there is; the prompt stays. How it ends: `exit`.
        cpu: only this one runs, until the next start() or run(); the others stay where they are.
        """
        self._startable()
        self.exit = None
        self._vm.start(cpu)

    def pause(self) -> bool:
        """Stop all of its vCPUs; start() or run() go on. False when it did not run, or had
        just ended.
        """
        paused = self._vm.pause()
        if self._record and paused:
            self._record._note()
        if self._debugger and not self._vm.running:
            self._debugger.at_rest(None)
        return paused

    def snapshot(self, *, quota: int | str | None = None):
        """All that the guest can tell of its machine, as it is at this moment: an hv.snapshot.Snapshot, for
        vm.back(). Of RAM only what is written afterwards is kept. Also while it runs, and in a handler. quota: what is
        kept for this VM takes at most so many bytes, or "64M"; a guest that writes more stops with the reason "memory".
        """
        from .snapshot import take

        return take(self, None if quota is None else _bytes(quota))

    def history(self, every_ms: int = 100, keep: int = 50):
        """Snapshots by themselves: one every so many milliseconds while the VM runs, of which the last `keep` are there for
        vm.back(ms=). When memory runs out the oldest go. Returns an hv.history.History; the one before ends.
        """
        from .history import History

        if self._history:
            self._history.clear()
        self._history = History(self, every_ms, keep)
        return self._history

    def core(self, path: str) -> int:
        """Write an ELF core of the VM, which gdb opens, and return its size. It is paused for that. Ctrl-C leaves nothing."""
        from .core import core

        return core(self, path)

    def fuzz(
        self,
        at: int | str | None = None,
        put=None,
        until=("ret",),
        *,
        crash=(),
        faults: bool = True,
        cover: str | None = "blocks",
        map=None,
        blocks=None,
        seed: int = 1,
        max: int = 1024,
        ms: int = 1000,
        instructions: int = 10_000_000,
        oracle=None,
        quota: int | str = "16M",
        cpu: int = 0,
    ):
        """A fuzzer, hv.fuzz.Fuzz: vCPU `cpu` is run from one place again and again, each time with another input; the other
        vCPUs stand still. The VM runs to `at`, a symbol or an address (None: it stays where it is), and a snapshot is made.

        put: where inputs go. An address or symbol, or a register, "x0", that holds it; with the length, a pair:
        ("x0", "x1"). Or f(cpu, data), called in each round, which is slower. max: bytes of an input, at most.
        until: where rounds end: "ret" is the return of the function at `at`, others are symbols and addresses; of these
        "panic", "abort" and the like are crashes. crash: more places that are. faults: so are exceptions that the guest
        takes at its own vectors, but system calls and interrupts.
        cover="blocks": by one-shot breakpoints on basic blocks, those of blocks=, symbols and addresses, or else what is
        found by following branches from `at` on. "steps": by single steps, for what is short. "map": the guest counts its edges in an array of bytes, as compilers have it; map= is its symbol, or (address,
        size). None: every input is as good as any other.
        A round that takes more than so many `instructions` at EL1 and EL0, where the core counts them, or ms= is a hang.
        oracle: f(cpu, data, verdict) is asked behind each round: "ok", "crash" or "hang" is the verdict, True or False
        whether it is something new; None: as it was found. The same seed and functions find the same.
        quota: what it may take for what it keeps, besides what the snapshot takes.
        """
        from .fuzz import Fuzz

        return Fuzz(
            self, at, put, until, crash, faults, cover, map, blocks, seed, max, ms, instructions, oracle, _bytes(quota), cpu
        )  # fmt: skip

    def capsule(self, path: str) -> None:
        """Write a snapshot to a file (as s.save() does) together with what its PL011 printed last, hv.events(), what
        vm.trace() has, and the names of rules, handlers, breakpoints and watches. On a later boot hv.load(path) has all of
        it. Also in a handler; events and traces stay.
        """
        from .capsule import write

        write(self, path, "by hand")

    def on_crash(self, what, at=(), reasons: tuple = ()):
        """When the guest dies, write a capsule to the path `what`, or call what(vm, why). Once: the first time. Dying is
        an exit that nobody answers, or a handler that raises; reasons: those of an Exit instead ("off", "reset", ...). at:
        also when it comes to this place or these, "panic" of a Linux that has begun. Returns an hv.capsule.OnCrash, whose
        remove() ends it.
        """
        from .capsule import OnCrash

        if self._crash:
            self._crash.remove()
        self._crash = OnCrash(self, what, at, reasons)
        return self._crash

    def goes_back(self, device):
        """device.save() is to be asked at each snapshot, and device.load(state) whenever the VM goes back to it: for what
        a script has made of vm.mmio() and the like. Virtio devices are by themselves. Returns the device. In a VM of
        hv.load() it is loaded at once: one after the other, as they were in the VM that was saved.
        """
        if not hasattr(device, "save") or not hasattr(device, "load"):
            raise TypeError(f"what goes back has save() and load(state), unlike {device!r}")
        self._kept += (device,)
        if self._states:
            device.load(self._states.pop(0)[1])
        return device

    def back(self, s=None, *, ms: int | None = None, clock: str = "world") -> None:
        """Go back to snapshot s; None: to the one that was made, or gone back to, last; ms: to that of vm.history() which is
        at least so old. A VM that runs runs on from there, one that does not waits there. Its counters and timers go on
        from where they were; its real-time clock shows the world's time, or with clock="guest" goes on as well. Handlers,
        breakpoints, watches and rules stay.
        """
        if ms is not None:
            if not self._history:
                raise ValueError(f"{self.name} has no history: vm.history() makes one")
            return self._history.back(number(ms, "ms"), clock)
        from .snapshot import back

        back(self, s, clock)

    def record(self):
        """Record what the guest does from here on: an hv.replay.Record, to go back in by single instructions (back(n), to(n),
        replay()), and for gdb's reverse-step and reverse-continue. Each of its instructions is a step meanwhile, its vCPUs
        follow one another on the boot core, and its time goes by the number of turns. Its virtio devices' answers are
        logged. The record before is dropped.
        """
        from .replay import record

        return record(self)

    def replay(self, path: str):
        """Read a record that Record.save() has written, into a VM that has been made, loaded and given handlers in the same
        way: an hv.replay.Record, at its beginning. Its check() is a regression test. ValueError when it begins elsewhere, or
        with other virtio devices.
        """
        from .replay import load

        return load(self, path)

    @property
    def running(self) -> bool:
        """Whether it runs in the background."""
        return self._vm.running

    @property
    def stop_time(self) -> bool:
        """Whether its virtual counter stands still while it is stopped (it does, unless set False)."""
        return self._vm.stop_time

    @stop_time.setter
    def stop_time(self, stops):
        self._vm.stop_time = stops

    def on(
        self,
        where: int | str | None = None,
        f=None,
        *,
        ret=None,
        when=None,
        count: int = 1,
        once: bool = False,
        action: str | None = None,
        ipa: int | None = None,
        pid: int | None = None,
        el0: bool | None = None,
    ):
        """A breakpoint: f(cpu) is called before the guest executes what is at `where`, "name", "name+0x10" or an
        address of its kernel, or at the physical address ipa=. A decorator without f. The guest goes on when f returns
        None, behind the instruction with hv.SKIP; hv.STOP stops the VM there. Any number of them, on all vCPUs, unseen
        by the guest.

        when(cpu): only if that is true. count: from this hit on. once: one time. ret(cpu): called when the function
        that begins there returns. action: without Python, "count", "log" (hv.events()) or "stop".
        pid: in that process of a Linux alone, in its program or on its behalf in the kernel; of another system's programs:
        where TTBR0_EL1 or CONTEXTIDR_EL1 is that. el0: a program executes it; known by itself of an address, not of ipa=.

        It is planted in the guest's RAM, of any number. Where there is none, or nothing is mapped at the address now, it is
        one of the six that the vCPUs have in hardware, the guest's own coming back after it: RuntimeError when all are
        taken. Returns a Breakpoint: hits, kind ("planted", "hardware"), off(), on(), remove().
        """
        from .breaks import on

        return on(self, where, f, ret, when, count, once, action, ipa, pid, el0)

    def until(self, where: int | str, timeout_ms: int | None = None) -> _hv.Exit:
        """As run(), until a cpu comes to `where`, as vm.on() has it: it is before what stands there."""
        from .breaks import run_until

        return run_until(self, where, timeout_ms)

    def breaks(self) -> tuple:
        """All that vm.on() has made, and not been removed."""
        return self._breaks

    def irq(self, intid: int, cpu: int = 0) -> _hv.IRQ:
        """Interrupt `intid` of the guest's controller, 0 to 287; below 32 that of vCPU `cpu`.

        set(level), pulse(): a device's line, or an edge. enabled, pending, active, level, edge,
        priority, cpu: as the guest and its devices have it.
        watch(handler=None, drop=False): count it (hits); drop it; or ask handler(irq) each time it
        rises, soon and here, whether the guest gets it: not when that returns False. unwatch().
        forward(physical): an SPI of the machine becomes this one, and ends when the guest ends it.
        """
        return self._vm.irq(intid, cpu)

    def attach(self, key: int = DETACH) -> _hv.Exit | None:
        """Connect this console to the guest's, all keys but `key` (Ctrl-\\), and start it if need be.
        Returns None when detached, the guest running on, or the Exit it ended with.
        """
        if not self._vm.running:
            self.start()
        return None if self._vm.attach(key) else self.exit

    def _ended(self, exit):
        # From C, when the VM has ended in the background.
        if self._crash:
            self._crash.ended(exit)
        if exit.reason == "reset":
            self.reset()
            self.start()
            return
        self.exit = exit
        if self._record:
            self._record._note()
        if self._debugger:
            self._debugger.at_rest(exit)

    def close(self) -> None:
        """End it and give its memory back. What is left of it raises ValueError."""
        self._vm.close()
        self._virtio = {}
        self._symbols = None
        if self._debugger:
            self._debugger.closed()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __repr__(self):
        if self._vm.closed:
            return f"<VM {self.name}: closed>"
        return f"<VM {self.name}: {len(self.cpu)} cpus, {self.memory.size >> 10} KB RAM, VMID {self._vm.vmid}>"


def load(path, *, name=None, net=None, devices=None):
    """A VM out of a file that s.save() or vm.capsule() has written, on this boot or an earlier one: it stands where the
    snapshot was made, and start() or run() go on. Of a capsule it is an hv.capsule.Capsule, which has it as `vm`.

    name: instead of the one that it had. net: the switch that its network devices are on, with the addresses they had;
    None: one of their own. devices: by slot, what is to be there instead, and what the file cannot have: devices of a
    script's own. A disk that was made read-only or cow=True of a path is found there again; what others held is in the
    file, and in memory from now on. Handlers, rules, breakpoints and stage 2's mappings are the script's to make.

    ValueError, with the file's name and the reason: it is damaged, truncated, none of these, of a newer version, or of
    a machine with another GIC, core or counter. MemoryError: there is no room.
    """
    from .savefile import load

    def capsule(reader, vm):
        from .capsule import read

        return read(reader, vm)

    return load(path, VM, capsule, name, net, devices or {})
