# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/vm.py.
"""hv.VM: a virtual machine like QEMU's "virt", as far as its guest can tell.

RAM is at IPA 0x4000_0000, a PL011 at 0x0900_0000, PSCI answers HVC and SMC. Everything else is what
a script adds: handlers for calls, addresses and registers."""

from typing import Any

import _hv
from .traps import Traps as Traps, number as number
EL1H = 5
"""PSTATE: EL1 with its own stack pointer, interrupts enabled."""
DETACH = 28
"""Ctrl-\\: mpremote and QEMU take Ctrl-], Ctrl-X and Ctrl-A."""

class VM(Traps):
    """A virtual machine. name: for messages. ram: bytes, or "64M". cpus: 1 to 8 vCPUs.
    pin: the core its vCPUs run on, or a tuple with one for each; None: any (cpu.pin).

    MemoryError when the machine has no room; a `with` statement closes it at the end."""

    name: str
    """For messages."""
    cpu: tuple[_hv.VCPU, ...]
    """Its vCPUs."""
    memory: _hv.Memory
    """RAM by IPA."""
    el2: _hv.EL2Registers
    """The EL2 registers it is entered with."""
    exit: _hv.Exit | None
    """How it last ended in the background."""
    console: _hv.Console
    """The other end of its PL011."""
    def __init__(self, name: str='guest', ram: int | str='64M', cpus: int=1, pin: Any=None) -> None: ...
    def load(self, source: Any, at: Any=None, entry: Any=None, dtb: Any=None, cmdline: str='') -> Any:
        """Load an ELF, arm64 Image or flat binary (a path, file or buffer; also gzip'd) and make
        cpu 0 ready to start it. An Image or flat binary is given a device tree in x0: above it, with
        a copy at the base of RAM if that is free, or where dtb= says (an IPA). An ELF is with
        dtb=True; dtb=False is without. cmdline: /chosen/bootargs of the tree. Returns what was loaded
        and where (hv.loader.Loaded). When it raises there is nothing to run."""
    @property
    def symbols(self) -> Any:
        """Where the names of its places come from: ELF files that were loaded, those and System.map's that
        vm.symbols.add(source, slide=0) is given, and a Linux's own, in its memory, also where KASLR moved it."""
    @property
    def kernel(self) -> Any:
        """The Linux that runs in it, seen from outside: an hv.kernel.Kernel. AttributeError when there is none, or not yet."""
    def symbol(self, name: str | int) -> Any:
        """The address of a symbol (see `symbols`); KeyError when there is none such. Of an address: the
        function or object it is in, as "name+0x10"."""
    def address(self, where: int | str) -> int:
        """The address of a place in the guest: "name", "name+0x10", or an address as it is."""
    def watch(self, where: int | str | None=None, size: int | None=None, rights: str='w', f: Any=None, *, ipa: int | None=None, action: str | None=None) -> Any:
        """Watch a range of the guest's memory: `size` bytes (None: the symbol's) from `where` on, "name", "name+0x10" or
        an address of the guest's by its tables as they are now, or from the physical address ipa=; for loads ("r"), stores
        ("w") or both ("rw"). Any size and any number. Returns a Watch, which counts: hits, kind, off(), on(), remove(). As
        a decorator it gets its function.

        Of an address, small or a power of two, it is one of the vCPUs' own four watchpoints while there is one that the
        guest does not have (kind "hardware"): it sees that address, and nothing else costs. Otherwise, and of ipa=, it is by
        its pages: all accesses are seen, by any address, and those beside it cost.

        f(cpu, address, size, old, new) is called before each access, with the part of it that is in the range, 8 bytes at
        a time. hv.SKIP: it is not made; hv.STOP: the VM stops behind it. Of a device's access it hears soon after: cpu is
        None, and old and new are when it was of more than 8 bytes. action, without f: "count", "log" (hv.events()), "stop"."""
    def trace(self, what: str, size: int | str='256K', freeze: int | str | None=None) -> Any:
        """Note each exit of these kinds, in C, in a ring of `size` bytes a core: a Trace, to iterate over, save(path) for
        ui.perfetto.dev, or stop(). Full, a ring loses its oldest.

        what, some of: exit (all but svc, switch, irq, sched), irq, hvc, psci, sysreg, mmio, fault, python (those that a
        handler may be asked about), sched (into the guest and out of it). "sysreg:TTBR0_EL1" and "mmio:pl011",
        "mmio:0x9000000", "virtio" are of that register, device or page only. Of what the guest does without an exit:
        svc, the system calls of 64-bit programs, at EL1's vector, of any kernel; switch, from process to process, of a
        Linux with BTF. Both are planted as vm.on() does.
        freeze: a place, as "panic": when the guest comes by, nothing more is added (Trace.frozen)."""
    def count(self, what: str, key: str='pc') -> Any:
        """Count such exits by a key, in C: "pc", "x0" to "x30", "value" (what trace() shows) or "cpu"; system calls by
        vm.count("svc", "x8"). A Count: counts(), a dictionary, most first; histogram(), the same as text; stop(). 1,024
        keys a core; what finds no place is under None."""
    def why(self, exit: Any=None) -> None:
        """Print, in words, what an exit was, who answers it (device, rule, handler, PSCI, nobody), in which way, about how
        many instructions that costs, and what would change it: of the last one that C or Python looked at as a whole, of
        an Exit, or of a record of vm.trace(), which also has those that were finished on the way."""
    def explain(self, where: int | str) -> None:
        """Print what there is at a place of the guest's ("name+0x10", or an address): its symbol, its IPA and the rights
        that stage 2 gives, who has taken some, the instruction, breakpoints, watches, or the device and its rules."""
    @property
    def inject(self) -> Any:
        """Faults of the machine, made on purpose, the same again from the same seed: irq(), load(), disk(), clock(). See
        hv.inject."""
    def faults(self) -> tuple:
        """All that vm.inject has made, and not been removed."""
    def watches(self) -> tuple:
        """All that vm.watch() has made, and not been removed."""
    def device_tree(self, **more: Any) -> Any:
        """The tree (hv.fdt.Tree) that describes this VM; `more` as in hv.machine_dt.virt."""
    def passthrough(self, ipa: int, pa: int, size: int=4096, irq: int | tuple[int, int] | None=None, *, unsafe: bool=False) -> None:
        """Give the guest a device of this machine, at `ipa`: nothing of it traps. Its interrupt
        becomes the guest's: `irq`, an INTID or (the machine's, the guest's), or what the machine's
        tree says. ValueError when the hypervisor uses it, or when it may write to memory by itself
        (DMA), anybody's: unless `unsafe`."""
    def flash(self, ipa: int, bytes: int | str) -> None:
        """NOR flash, erased: a power of two from 512 KB on, bytes or "64M". The guest reads it as
        memory and programs it by Intel's command set; load(..., at=ipa) puts firmware into it. What
        it holds stays over reset(). On QEMU's virt: 64 MB at 0, for firmware, and at 0x0400_0000."""
    def virtio(self, device: Any, slot: int | None=None) -> Any:
        """Plug in a virtio device (hv.virtio.Device) and return it. The guest finds it by the device
        tree of a later load() or linux(): in slot 0 to 31, the first free one by itself."""
    def block(self, source: Any, readonly: bool=False, cow: bool=False, legacy: bool=False, slot: Any=None, quota: int | str | None=None) -> Any:
        """Plug in a disk: see hv.block.Block for what `source` may be. cow: writes go to memory, and
        those beyond `quota` (bytes, or "64M") fail. legacy: with the transport of before virtio 1.0,
        here and of the others."""
    def net(self, switch: Any, mac: bytes | None=None, legacy: bool=False, slot: Any=None, spoof: bool=False) -> Any:
        """Plug in a network device on a switch (hv.Switch). mac: 6 bytes, or one of its own, and the
        only one it may send from unless `spoof`."""
    def virtio_console(self, output: Any=None, legacy: bool=False, slot: Any=None) -> Any:
        """Plug in a console besides the PL011: hv.virtio.Console."""
    def rng(self, legacy: bool=False, slot: Any=None) -> Any:
        """Plug in a source of random numbers."""
    @property
    def stage2(self) -> Any:
        """The guest's IPA space: hv.stage2.Stage2."""
    def linux(self, kernel: Any, initrd: Any=None, cmdline: str='', dtb: Any=None) -> Any:
        """Load an arm64 kernel Image (also gzip'd), an initrd and a device tree as its boot protocol
        wants them, and make cpu 0 ready to start it. dtb: the user's own tree (a path or a buffer),
        fitted to this VM."""
    def run(self, timeout_ms: int | None=None) -> _hv.Exit:
        """Run in the foreground, the guest's console on this one. Returns an Exit when the guest
        ends, or does something nobody answers: it can be run on. A reset of the guest starts it
        anew, and the time goes on. Ctrl-C raises KeyboardInterrupt."""
    def reset(self) -> None:
        """As after power-on: RAM zero, vCPUs and all native devices reset, and what was loaded
        (load, linux) loaded again, ready to start. Handlers, rules, stage 2 and el2 stay."""
    def start(self, cpu: int | None=None) -> None:
        """Run in the background, on every core there is; the prompt stays. How it ends: `exit`.
        cpu: only this one runs, until the next start() or run(); the others stay where they are."""
    def pause(self) -> bool:
        """Stop all of its vCPUs; start() or run() go on. False when it did not run, or had
        just ended."""
    def snapshot(self, *, quota: int | str | None=None) -> Any:
        """All that the guest can tell of its machine, as it is at this moment: an hv.snapshot.Snapshot, for
        vm.back(). Of RAM only what is written afterwards is kept. Also while it runs, and in a handler. quota: what is
        kept for this VM takes at most so many bytes, or "64M"; a guest that writes more stops with the reason "memory"."""
    def history(self, every_ms: int=100, keep: int=50) -> Any:
        """Snapshots by themselves: one every so many milliseconds while the VM runs, of which the last `keep` are there for
        vm.back(ms=). When memory runs out the oldest go. Returns an hv.history.History; the one before ends."""
    def core(self, path: str) -> int:
        """Write an ELF core of the VM, which gdb opens, and return its size. It is paused for that. Ctrl-C leaves nothing."""
    def fuzz(self, at: int | str | None=None, put: Any=None, until: Any=('ret',), *, crash: Any=(), faults: bool=True, cover: str | None='blocks', map: Any=None, blocks: Any=None, seed: int=1, max: int=1024, ms: int=1000, instructions: int=10000000, oracle: Any=None, quota: int | str='16M', cpu: int=0) -> Any:
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
        quota: what it may take for what it keeps, besides what the snapshot takes."""
    def capsule(self, path: str) -> None:
        """Write a snapshot to a file (as s.save() does) together with what its PL011 printed last, hv.events(), what
        vm.trace() has, and the names of rules, handlers, breakpoints and watches. On a later boot hv.load(path) has all of
        it. Also in a handler; events and traces stay."""
    def on_crash(self, what: Any, at: Any=(), reasons: tuple=()) -> Any:
        """When the guest dies, write a capsule to the path `what`, or call what(vm, why). Once: the first time. Dying is
        an exit that nobody answers, or a handler that raises; reasons: those of an Exit instead ("off", "reset", ...). at:
        also when it comes to this place or these, "panic" of a Linux that has begun. Returns an hv.capsule.OnCrash, whose
        remove() ends it."""
    def goes_back(self, device: Any) -> Any:
        """device.save() is to be asked at each snapshot, and device.load(state) whenever the VM goes back to it: for what
        a script has made of vm.mmio() and the like. Virtio devices are by themselves. Returns the device. In a VM of
        hv.load() it is loaded at once: one after the other, as they were in the VM that was saved."""
    def back(self, s: Any=None, *, ms: int | None=None, clock: str='world') -> None:
        """Go back to snapshot s; None: to the one that was made, or gone back to, last; ms: to that of vm.history() which is
        at least so old. A VM that runs runs on from there, one that does not waits there. Its counters and timers go on
        from where they were; its real-time clock shows the world's time, or with clock="guest" goes on as well. Handlers,
        breakpoints, watches and rules stay."""
    def record(self) -> Any:
        """Record what the guest does from here on: an hv.replay.Record, to go back in by single instructions (back(n), to(n),
        replay()), and for gdb's reverse-step and reverse-continue. Each of its instructions is a step meanwhile, its vCPUs
        follow one another on the boot core, and its time goes by the number of turns. Its virtio devices' answers are
        logged. The record before is dropped."""
    def replay(self, path: str) -> Any:
        """Read a record that Record.save() has written, into a VM that has been made, loaded and given handlers in the same
        way: an hv.replay.Record, at its beginning. Its check() is a regression test. ValueError when it begins elsewhere, or
        with other virtio devices."""
    @property
    def running(self) -> bool:
        """Whether it runs in the background."""
    @property
    def stop_time(self) -> bool:
        """Whether its virtual counter stands still while it is stopped (it does, unless set False)."""
    @stop_time.setter
    def stop_time(self, stops: Any) -> Any: ...
    def on(self, where: int | str | None=None, f: Any=None, *, ret: Any=None, when: Any=None, count: int=1, once: bool=False, action: str | None=None, ipa: int | None=None, pid: int | None=None, el0: bool | None=None) -> Any:
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
        taken. Returns a Breakpoint: hits, kind ("planted", "hardware"), off(), on(), remove()."""
    def until(self, where: int | str, timeout_ms: int | None=None) -> _hv.Exit:
        """As run(), until a cpu comes to `where`, as vm.on() has it: it is before what stands there."""
    def breaks(self) -> tuple:
        """All that vm.on() has made, and not been removed."""
    def irq(self, intid: int, cpu: int=0) -> _hv.IRQ:
        """Interrupt `intid` of the guest's controller, 0 to 287; below 32 that of vCPU `cpu`.

        set(level), pulse(): a device's line, or an edge. enabled, pending, active, level, edge,
        priority, cpu: as the guest and its devices have it.
        watch(handler=None, drop=False): count it (hits); drop it; or ask handler(irq) each time it
        rises, soon and here, whether the guest gets it: not when that returns False. unwatch().
        forward(physical): an SPI of the machine becomes this one, and ends when the guest ends it."""
    def attach(self, key: int=DETACH) -> _hv.Exit | None:
        """Connect this console to the guest's, all keys but `key` (Ctrl-\\), and start it if need be.
        Returns None when detached, the guest running on, or the Exit it ended with."""
    def close(self) -> None:
        """End it and give its memory back. What is left of it raises ValueError."""
    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: Any) -> Any: ...

def load(path: Any, *, name: Any=None, net: Any=None, devices: Any=None) -> Any:
    """A VM out of a file that s.save() or vm.capsule() has written, on this boot or an earlier one: it stands where the
    snapshot was made, and start() or run() go on. Of a capsule it is an hv.capsule.Capsule, which has it as `vm`.

    name: instead of the one that it had. net: the switch that its network devices are on, with the addresses they had;
    None: one of their own. devices: by slot, what is to be there instead, and what the file cannot have: devices of a
    script's own. A disk that was made read-only or cow=True of a path is found there again; what others held is in the
    file, and in memory from now on. Handlers, rules, breakpoints and stage 2's mappings are the script's to make.

    ValueError, with the file's name and the reason: it is damaged, truncated, none of these, of a newer version, or of
    a machine with another GIC, core or counter. MemoryError: there is no room."""
