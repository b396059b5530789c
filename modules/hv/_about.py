# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from docstrings and stubs: what modules/hv/_help.py prints.

# A page: its title, how one comes by it, its text; then a line for each name: how it is called, a tab,
# what it does. Of a class in a module the methods follow it, their names with its own in front.
PAGES = (
    """\
hv\timport hv
Elapid from Python: virtual machines, the core's registers, memory, what exits mean.

    import hv
    vm = hv.VM("demo", ram="64M")
    vm.load("hello.elf")
    vm.run()

What is seldom needed is imported when it is first named: hv.regs, hv.mmu, hv.explain, hv.fdt ...\fABORT\tFrom a handler: the guest gets a synchronous external abort at FAR_EL2 (D13.2.37).
bench()\tPrint what exits cost, each the mean of 1,000: in instructions where the core can count them, which under QEMU takes -icount shift=0; otherwise in time, which tells of QEMU's machine.
blob(address, size)\tMemory outside RAM, such as flash, read-only. ValueError when it is RAM.
block\tDisks for guests: virtio block devices (virtio 1.1, 5.2), and what they are kept in.
capsule\tvm.capsule(path): a snapshot in a file with what was seen around it, for a later boot to look into.
consoles(*vms)\tPrint what these guests print, line by line behind their VMs' names, until none of them runs any more. Ctrl-C ends it earlier, and leaves them running.
core\tvm.core(path): an ELF core of a VM, which gdb opens: gdb-multiarch vmlinux core.\v\vA thread is a vCPU. Memory is where the first one's tables have it, kernel's and user's; where its MMU is off, where it is. Pages of zeros are not in the file.
demo()\tLaunch a guest of 14 instructions: it prints, asks Python for a sum, and powers off.
events()\tTake all events out of the ring: a list, oldest first.
Exit\tWhy a guest stopped, or is stopped now
explain(esr, far=None, hpfar=None, pc=None, ipa=None)\tOne line on a syndrome. `esr` is ESR_ELx, or an Exit, which brings the addresses itself; `far` and `hpfar` are FAR_ELx and HPFAR_EL2 as read, used where they are valid.
Fault\tAn access that no memory or register answers. Its text has the address and the cause.
fdt\tFlattened device trees (Devicetree Specification v0.4, chapter 5): read, edit, write.
fork\ts.fork(): a second VM from a snapshot.
fuzz\tFuzzing on snapshots: vm.fuzz().\v\vThe loop is in C: back to the snapshot, an input, the guest until the round ends, what came of it. What the guest is, where a round ends and what counts as a crash is said here.
gdb(vm, line=None)\tLet gdb attach to a VM, by a serial line of the machine: a number or a stream of hv.serial(); by itself the second one, if there is one. Then the prompt stays, and this returns at once; close() of what it returns ends it. The console it takes until gdb detaches; Ctrl-C twice ends it when gdb is gone.
history\tvm.history(every_ms=, keep=): snapshots by themselves, so that vm.back(ms=500) has something to go back to.
initrd()\tWhat the machine was started with as its initrd; its RAM is nobody else's. OSError when nothing.
inject\tvm.inject: faults of the machine, made on purpose, each in one line; the same again from the same seed.\v\vvm.inject.irq(33, drop=0.1)         # one interrupt in ten is lost vm.inject.irq(48, delay_ms=5)       # each comes late vm.inject.irq(48, storm=20)         # and is followed by so many that nobody asked for vm.inject.load(0x0900_0018, flip=1 << 5, rate=0.01)     # a bit of what a device says is wrong now and then vm.inject.disk(disk, nth=100)       # the 100th request fails vm.inject.clock(ms=3000)            # the guest's counter jumps; ppm=: it runs too fast\v\vEach returns a Fault: seen, log, remove(). A log is what happened, by number; given instead of a rate it happens again.
load(path, *, name=None, net=None, devices=None)\tA VM out of a file that s.save() or vm.capsule() has written, on this boot or an earlier one: it stands where the snapshot was made, and start() or run() go on. Of a capsule it is an hv.capsule.Capsule, which has it as `vm`. name: instead of the one that it had. net: the switch that its network devices are on, with the addresses they had; None: one of their own. devices: by slot, what is to be there instead, and what the file cannot have: devices of a script's own. A disk that was made read-only or cow=True of a path is found there again; what others held is in the file, and in memory from now on. Handlers, rules, breakpoints and stage 2's mappings are the script's to make. ValueError, with the file's name and the reason: it is damaged, truncated, none of these, of a newer version, or of a machine with another GIC, core or counter. MemoryError: there is no room.
loader\tPuts images into guest RAM: ELF, arm64 Image, flat binaries, also gzip'd or as EFI zboot.
machine_dt\tThe device tree a guest sees: made for the machine a VM offers, or the user's own, fitted to it.
mem()\tThe memory that VMs are made of: bytes that are free, bytes in all, bytes free in one piece.
mmu\thv.mmu: EL2's own address space, where Python lives. Virtual is physical unless you say otherwise.
net\tNetworks of guests: a switch, and the virtio network devices (virtio 1.1, 5.1) that plug into it.
PASS\tFrom a handler: do what would be done without it.
passthrough\tDevices of this machine for a guest alone: what the machine's device tree says of them.
pcap\tCaptures of a switch, as Wireshark and tshark read them: the classic pcap file (draft-ietf-opsawg-pcap), with nanoseconds, of Ethernet frames.\v\v    with lan.pcap("/disk/lan.pcap"):\v        ...
platform()\tWhat the machine is: model, boot_el, cpus, ram_base, ram_size, gic, uart, initrd, psci, ...
poweroff()\tSwitch the machine off, by PSCI SYSTEM_OFF. OSError where there is no firmware below.
read(address, size=4)\tLoad `size` bytes, 1, 2, 4 or 8, at an address of EL2, as one access. Fault if it aborts.
regs\tSystem registers by name, live, on the core that runs Python.\v\v    from hv.regs import HCR_EL2, ESR_EL2\v    HCR_EL2                      # HCR_EL2 0x80000039 (RW=1 AMO=1 IMO=1 FMO=1 VM=1)\v    HCR_EL2.TWI = 1              # read, change one field, write\v    HCR_EL2.read(), HCR_EL2.write(0x80000000)\v    ESR_EL2.decode(0x93820005)   # "EC=0x24 IL=1 ISS=0x1820005"\v    hv.regs.S3_1_C15_C2_1        # any encoding\v\vA register has .name, .enc, .access ("RW", "RO", "WO", or "SYS" for an instruction such as TLBI_ALLE2) and .fields, {name: (high, low)} by the names of the ARM ARM, which are attributes too. HCR_EL2(value) is that number seen and changed by HCR_EL2's fields; int() gives it back.\v\vAn object is made when its name is first asked for. A register that this core does not have raises hv.Fault when it is read or written; write(value, unsafe=True) insists where _hv.msr would refuse.
replay\tRecord and replay: vm.record(), vm.replay().\v\vWhile a VM is recorded each of its instructions is a step, counted, and its time goes by that count; its vCPUs follow one another. All that it does follows from where it began, but for what is put in from outside, and what its virtio devices have answered: that is in the log. docs/replay.md tells more.
RETRY\tFrom a handler: run the instruction again, something has been changed.
serial(n=None)\tThe machine's n-th serial line, a stream: 0 is the console (machine.UART), then its other UARTs in the device tree's order, then virtio consoles (machine.Serial). Without n: all of them, as a list.
SERROR\tFrom a handler: an SError becomes pending for the guest (HCR_EL2.VSE).
share(part=None)\tThe part of the first core that guests in the background get while MicroPython computes or collects: 0 to 0.95, at first 0.5. Returns what it was. While MicroPython waits they have all of it. 0: slices only between two of MicroPython's instructions, and vCPUs can be looked into without vm.pause() where there is one core.
SKIP\tFrom a handler: go on behind the instruction, registers as they are.
snapshot\tSnapshots of a VM: vm.snapshot(), vm.back().\v\vA snapshot costs nothing but the pages that are written afterwards: each is kept, as it was, when it is first written. Going back puts those in their places again.
STOP\tFrom a handler: the same, but first vm.run() returns.
Switch\tLearns from their frames which port has which address; what it does not know goes to all others. A port that has a `mac` sends from that address only, and nobody else can have it: frames that say otherwise are dropped and counted in its `forged`. Not so one whose `spoof` is true, as a bridge wants it: what it sends from is learnt, but for addresses that are another port's own or that another port has been learnt to have. A port without `mac` is the script's own, and may send from any.
Switch.macs\tPort by address, to look at.
Switch.forward(sender, frame)\tBring a frame from the port `sender` to where it is meant for.
Switch.tap(f)\tCall f(port, frame) with each frame that is switched, before it is delivered: port is the sender's, and frame a buffer for the time of the call. Ended by remove(), or by an exception of f's.
Switch.pcap(path)\tWrite each frame that is switched to a file that Wireshark and tshark read (hv.pcap.Capture), until its close().
Switch.uplink(n=0)\tThe machine's n-th virtio network device joins the switch (hv.uplink.Uplink): with QEMU's user network guests reach the host and what it reaches. OSError: there is none, or a guest has it.
Switch.join(port)\tA guest's port: its own address is no other's. ValueError: it is already.
Switch.leave(port)\tA port is gone.
trace\tvm.trace() and vm.count(): what a guest's exits were.\v\vt = vm.trace("psci sysreg:TTBR0_EL1 mmio:pl011") vm.run() for record in t: print(record) t.save("/disk/boot.json")  # for ui.perfetto.dev
UNDEFINED\tFrom a handler: the guest gets an undefined instruction exception (EC 0).
uplink\tThe machine's own network device as a port of a switch, through which guests reach the world.\v\v    lan = hv.Switch()\v    vm.net(lan)\v    up = lan.uplink()\v\vUnder QEMU: `-netdev user,id=n -device virtio-net-device,netdev=n`. Its user network gives guests addresses by DHCP, and has the host at 10.0.2.2.
VCPU\tA virtual CPU
virtio\tVirtio devices for guests, and what one's own are made from.
VM\tA virtual machine
why\tvm.why() and vm.explain(): in words, who answers an exit, how, what it costs, and what there is at an address.
write(address, value, size=4)\tStore `size` bytes, 1, 2, 4 or 8, at an address of EL2, as one access. Fault if it aborts.""",
    """\
VM\tvm = hv.VM("demo", ram="64M", cpus=1)
A virtual machine. name: for messages. ram: bytes, or "64M". cpus: 1 to 8 vCPUs. pin: the core its vCPUs run on, or a tuple with one for each; None: any (cpu.pin).

MemoryError when the machine has no room; a `with` statement closes it at the end.

Handlers are called with the vCPU (details in cpu.exit) and numbers. Each method here is a decorator, or takes the handler as its last argument; None removes it. What a handler returns:

    None            nothing to answer: go on behind the instruction
    an int          what a load or an MRS reads; x0 of a call
    a tuple         x0, x1, ... of a call
    hv.PASS         do what would be done without this handler
    hv.RETRY        run the instruction again (something has been changed)
    hv.SKIP         go on behind the instruction, registers as they are
    hv.STOP         the same, and vm.run() returns
    hv.UNDEFINED, hv.ABORT, hv.SERROR    the guest gets that exception

A handler is anything that can be called, an object with __call__ too; it gets as many arguments as it takes. One that raises leaves the guest before the instruction; vm.run() raises, and can be called again.\fname\tFor messages.
cpu\tIts vCPUs.
memory\tRAM by IPA.
el2\tThe EL2 registers it is entered with.
exit\tHow it last ended in the background.
console\tThe other end of its PL011.
load(source, at=None, entry=None, dtb=None, cmdline='')\tLoad an ELF, arm64 Image or flat binary (a path, file or buffer; also gzip'd) and make cpu 0 ready to start it. An Image or flat binary is given a device tree in x0: above it, with a copy at the base of RAM if that is free, or where dtb= says (an IPA). An ELF is with dtb=True; dtb=False is without. cmdline: /chosen/bootargs of the tree. Returns what was loaded and where (hv.loader.Loaded). When it raises there is nothing to run.
symbols\tWhere the names of its places come from: ELF files that were loaded, those and System.map's that vm.symbols.add(source, slide=0) is given, and a Linux's own, in its memory, also where KASLR moved it.
kernel\tThe Linux that runs in it, seen from outside: an hv.kernel.Kernel. AttributeError when there is none, or not yet.
symbol(name)\tThe address of a symbol (see `symbols`); KeyError when there is none such. Of an address: the function or object it is in, as "name+0x10".
address(where)\tThe address of a place in the guest: "name", "name+0x10", or an address as it is.
watch(where=None, size=None, rights='w', f=None, *, ipa=None, action=None)\tWatch a range of the guest's memory: `size` bytes (None: the symbol's) from `where` on, "name", "name+0x10" or an address of the guest's by its tables as they are now, or from the physical address ipa=; for loads ("r"), stores ("w") or both ("rw"). Any size and any number. Returns a Watch, which counts: hits, kind, off(), on(), remove(). As a decorator it gets its function. Of an address, small or a power of two, it is one of the vCPUs' own four watchpoints while there is one that the guest does not have (kind "hardware"): it sees that address, and nothing else costs. Otherwise, and of ipa=, it is by its pages: all accesses are seen, by any address, and those beside it cost. f(cpu, address, size, old, new) is called before each access, with the part of it that is in the range, 8 bytes at a time. hv.SKIP: it is not made; hv.STOP: the VM stops behind it. Of a device's access it hears soon after: cpu is None, and old and new are when it was of more than 8 bytes. action, without f: "count", "log" (hv.events()), "stop".
trace(what, size='256K', freeze=None)\tNote each exit of these kinds, in C, in a ring of `size` bytes a core: a Trace, to iterate over, save(path) for ui.perfetto.dev, or stop(). Full, a ring loses its oldest. what, some of: exit (all but svc, switch, irq, sched), irq, hvc, psci, sysreg, mmio, fault, python (those that a handler may be asked about), sched (into the guest and out of it). "sysreg:TTBR0_EL1" and "mmio:pl011", "mmio:0x9000000", "virtio" are of that register, device or page only. Of what the guest does without an exit: svc, the system calls of 64-bit programs, at EL1's vector, of any kernel; switch, from process to process, of a Linux with BTF. Both are planted as vm.on() does. freeze: a place, as "panic": when the guest comes by, nothing more is added (Trace.frozen).
count(what, key='pc')\tCount such exits by a key, in C: "pc", "x0" to "x30", "value" (what trace() shows) or "cpu"; system calls by vm.count("svc", "x8"). A Count: counts(), a dictionary, most first; histogram(), the same as text; stop(). 1,024 keys a core; what finds no place is under None.
why(exit=None)\tPrint, in words, what an exit was, who answers it (device, rule, handler, PSCI, nobody), in which way, about how many instructions that costs, and what would change it: of the last one that C or Python looked at as a whole, of an Exit, or of a record of vm.trace(), which also has those that were finished on the way.
explain(where)\tPrint what there is at a place of the guest's ("name+0x10", or an address): its symbol, its IPA and the rights that stage 2 gives, who has taken some, the instruction, breakpoints, watches, or the device and its rules.
inject\tFaults of the machine, made on purpose, the same again from the same seed: irq(), load(), disk(), clock(). See hv.inject.
faults()\tAll that vm.inject has made, and not been removed.
watches()\tAll that vm.watch() has made, and not been removed.
device_tree(**more)\tThe tree (hv.fdt.Tree) that describes this VM; `more` as in hv.machine_dt.virt.
passthrough(ipa, pa, size=4096, irq=None, *, unsafe=False)\tGive the guest a device of this machine, at `ipa`: nothing of it traps. Its interrupt becomes the guest's: `irq`, an INTID or (the machine's, the guest's), or what the machine's tree says. ValueError when the hypervisor uses it, or when it may write to memory by itself (DMA), anybody's: unless `unsafe`.
flash(ipa, bytes)\tNOR flash, erased: a power of two from 512 KB on, bytes or "64M". The guest reads it as memory and programs it by Intel's command set; load(..., at=ipa) puts firmware into it. What it holds stays over reset(). On QEMU's virt: 64 MB at 0, for firmware, and at 0x0400_0000.
virtio(device, slot=None)\tPlug in a virtio device (hv.virtio.Device) and return it. The guest finds it by the device tree of a later load() or linux(): in slot 0 to 31, the first free one by itself.
block(source, readonly=False, cow=False, legacy=False, slot=None, quota=None)\tPlug in a disk: see hv.block.Block for what `source` may be. cow: writes go to memory, and those beyond `quota` (bytes, or "64M") fail. legacy: with the transport of before virtio 1.0, here and of the others.
net(switch, mac=None, legacy=False, slot=None, spoof=False)\tPlug in a network device on a switch (hv.Switch). mac: 6 bytes, or one of its own, and the only one it may send from unless `spoof`.
virtio_console(output=None, legacy=False, slot=None)\tPlug in a console besides the PL011: hv.virtio.Console.
rng(legacy=False, slot=None)\tPlug in a source of random numbers.
stage2\tThe guest's IPA space: hv.stage2.Stage2.
linux(kernel, initrd=None, cmdline='', dtb=None)\tLoad an arm64 kernel Image (also gzip'd), an initrd and a device tree as its boot protocol wants them, and make cpu 0 ready to start it. dtb: the user's own tree (a path or a buffer), fitted to this VM.
run(timeout_ms=None)\tRun in the foreground, the guest's console on this one. Returns an Exit when the guest ends, or does something nobody answers: it can be run on. A reset of the guest starts it anew, and the time goes on. Ctrl-C raises KeyboardInterrupt.
reset()\tAs after power-on: RAM zero, vCPUs and all native devices reset, and what was loaded (load, linux) loaded again, ready to start. Handlers, rules, stage 2 and el2 stay.
start(cpu=None)\tRun in the background, on every core there is; the prompt stays. How it ends: `exit`. cpu: only this one runs, until the next start() or run(); the others stay where they are.
pause()\tStop all of its vCPUs; start() or run() go on. False when it did not run, or had just ended.
snapshot(*, quota=None)\tAll that the guest can tell of its machine, as it is at this moment: an hv.snapshot.Snapshot, for vm.back(). Of RAM only what is written afterwards is kept. Also while it runs, and in a handler. quota: what is kept for this VM takes at most so many bytes, or "64M"; a guest that writes more stops with the reason "memory".
history(every_ms=100, keep=50)\tSnapshots by themselves: one every so many milliseconds while the VM runs, of which the last `keep` are there for vm.back(ms=). When memory runs out the oldest go. Returns an hv.history.History; the one before ends.
core(path)\tWrite an ELF core of the VM, which gdb opens, and return its size. It is paused for that. Ctrl-C leaves nothing.
fuzz(at=None, put=None, until=('ret',), *, crash=(), faults=True, cover='blocks', map=None, blocks=None, seed=1, max=1024, ms=1000, instructions=10000000, oracle=None, quota='16M', cpu=0)\tA fuzzer, hv.fuzz.Fuzz: vCPU `cpu` is run from one place again and again, each time with another input; the other vCPUs stand still. The VM runs to `at`, a symbol or an address (None: it stays where it is), and a snapshot is made. put: where inputs go. An address or symbol, or a register, "x0", that holds it; with the length, a pair: ("x0", "x1"). Or f(cpu, data), called in each round, which is slower. max: bytes of an input, at most. until: where rounds end: "ret" is the return of the function at `at`, others are symbols and addresses; of these "panic", "abort" and the like are crashes. crash: more places that are. faults: so are exceptions that the guest takes at its own vectors, but system calls and interrupts. cover="blocks": by one-shot breakpoints on basic blocks, those of blocks=, symbols and addresses, or else what is found by following branches from `at` on. "steps": by single steps, for what is short. "map": the guest counts its edges in an array of bytes, as compilers have it; map= is its symbol, or (address, size). None: every input is as good as any other. A round that takes more than so many `instructions` at EL1 and EL0, where the core counts them, or ms= is a hang. oracle: f(cpu, data, verdict) is asked behind each round: "ok", "crash" or "hang" is the verdict, True or False whether it is something new; None: as it was found. The same seed and functions find the same. quota: what it may take for what it keeps, besides what the snapshot takes.
capsule(path)\tWrite a snapshot to a file (as s.save() does) together with what its PL011 printed last, hv.events(), what vm.trace() has, and the names of rules, handlers, breakpoints and watches. On a later boot hv.load(path) has all of it. Also in a handler; events and traces stay.
on_crash(what, at=(), reasons=())\tWhen the guest dies, write a capsule to the path `what`, or call what(vm, why). Once: the first time. Dying is an exit that nobody answers, or a handler that raises; reasons: those of an Exit instead ("off", "reset", ...). at: also when it comes to this place or these, "panic" of a Linux that has begun. Returns an hv.capsule.OnCrash, whose remove() ends it.
goes_back(device)\tdevice.save() is to be asked at each snapshot, and device.load(state) whenever the VM goes back to it: for what a script has made of vm.mmio() and the like. Virtio devices are by themselves. Returns the device. In a VM of hv.load() it is loaded at once: one after the other, as they were in the VM that was saved.
back(s=None, *, ms=None, clock='world')\tGo back to snapshot s; None: to the one that was made, or gone back to, last; ms: to that of vm.history() which is at least so old. A VM that runs runs on from there, one that does not waits there. Its counters and timers go on from where they were; its real-time clock shows the world's time, or with clock="guest" goes on as well. Handlers, breakpoints, watches and rules stay.
record()\tRecord what the guest does from here on: an hv.replay.Record, to go back in by single instructions (back(n), to(n), replay()), and for gdb's reverse-step and reverse-continue. Each of its instructions is a step meanwhile, its vCPUs follow one another on the boot core, and its time goes by the number of turns. Its virtio devices' answers are logged. The record before is dropped.
replay(path)\tRead a record that Record.save() has written, into a VM that has been made, loaded and given handlers in the same way: an hv.replay.Record, at its beginning. Its check() is a regression test. ValueError when it begins elsewhere, or with other virtio devices.
running\tWhether it runs in the background.
stop_time\tWhether its virtual counter stands still while it is stopped (it does, unless set False).
on(where=None, f=None, *, ret=None, when=None, count=1, once=False, action=None, ipa=None, pid=None, el0=None)\tA breakpoint: f(cpu) is called before the guest executes what is at `where`, "name", "name+0x10" or an address of its kernel, or at the physical address ipa=. A decorator without f. The guest goes on when f returns None, behind the instruction with hv.SKIP; hv.STOP stops the VM there. Any number of them, on all vCPUs, unseen by the guest. when(cpu): only if that is true. count: from this hit on. once: one time. ret(cpu): called when the function that begins there returns. action: without Python, "count", "log" (hv.events()) or "stop". pid: in that process of a Linux alone, in its program or on its behalf in the kernel; of another system's programs: where TTBR0_EL1 or CONTEXTIDR_EL1 is that. el0: a program executes it; known by itself of an address, not of ipa=. It is planted in the guest's RAM, of any number. Where there is none, or nothing is mapped at the address now, it is one of the six that the vCPUs have in hardware, the guest's own coming back after it: RuntimeError when all are taken. Returns a Breakpoint: hits, kind ("planted", "hardware"), off(), on(), remove().
until(where, timeout_ms=None)\tAs run(), until a cpu comes to `where`, as vm.on() has it: it is before what stands there.
breaks()\tAll that vm.on() has made, and not been removed.
irq(intid, cpu=0)\tInterrupt `intid` of the guest's controller, 0 to 287; below 32 that of vCPU `cpu`. set(level), pulse(): a device's line, or an edge. enabled, pending, active, level, edge, priority, cpu: as the guest and its devices have it. watch(handler=None, drop=False): count it (hits); drop it; or ask handler(irq) each time it rises, soon and here, whether the guest gets it: not when that returns False. unwatch(). forward(physical): an SPI of the machine becomes this one, and ends when the guest ends it.
attach(key=DETACH)\tConnect this console to the guest's, all keys but `key` (Ctrl-\\), and start it if need be. Returns None when detached, the guest running on, or the Exit it ended with.
close()\tEnd it and give its memory back. What is left of it raises ValueError.
hvc(function=None, handler=False, *, imm=None)\tAnswer HVC with this SMCCC function id in w0, or of this immediate: f(cpu, x1, x2, ...).
smc(function, handler=False)\tAs `hvc`, for SMC.
sysreg(name, handler=False)\tAnswer a trapped MRS or MSR: f(cpu, value), value None for a read, which returns an int. Whether a register traps is up to vm.el2 (HCR_EL2.TACR, TVM, TID3; MDCR_EL2; ...).
mmio(ipa, size, handler=False)\tA device at [ipa, ipa + size): f(cpu, offset, value), value None for a load, which returns an int. Ranges may be of any size and alignment, several to a page; they must not overlap.
exception(ec, handler=False)\tWhat nothing else answers of exception class `ec` (ESR_EL2.EC): f(cpu, esr). "Behind the instruction" (None, hv.SKIP, hv.STOP) is by its length; exceptions that are before one stay there: fetches (0x20), PC alignment (0x22), breakpoints, steps and watchpoints (0x30 to 0x35), and so on.
default(handler=False)\tWhat nothing else answers at all: f(cpu, esr).
wfi(handler=False)\tCalled at each WFI, f(cpu): hv.PASS waits for an interrupt, as without it.
wfe(handler=False)\tCalled at each WFE that traps: HCR_EL2.TWE is set with it, and cleared without.
trap_el1_exceptions(classes, handler=False)\tBe asked first about exceptions that the guest takes to its own EL1: f(cpu, esr, vector). classes: "all", or names and ESR_EL1.EC numbers: "svc", "undefined", "abort", "brk", "fp", "alignment", "irq", "fiq", "serror". None ends it. esr is ESR_EL1 (0 of an interrupt), vector the offset from VBAR_EL1; ELR_EL1 and the rest are in cpu.sysreg, and may be changed. Return None or hv.PASS: the guest's own handler goes on. An int or a tuple: x0 ..., and back to where it came from, as hv.RETRY does (hv.SKIP: behind that instruction). hv.UNDEFINED, hv.ABORT: that exception instead. See hv_native/trap/el1trap.h for what this cannot see.
rule(kind, key, action='count', value=0, match=None, pc=None, nth=0, every=0, promote=None)\tHave C do something at an exit, without Python. Returns a Rule: hits, value, remove(). kind, key: "hvc", "smc" and a function id, "imm" and an HVC's immediate, "sysreg" and a name, "mmio" and an IPA or (IPA, bytes). A rule stands over a handler or a device of the same key, and over older rules. action: "count"; "log" it for hv.events(); both go on with what stands below. Answer "const" `value`; "shadow": what was last written; "deny": the guest gets an exception. match, pc: only exits that write this value (of a call: x1), at this address. nth, every: only the n-th of these, or not within `every` ms of the last one. promote: call this handler then, and do `action` for the others.""",
    """\
VCPU\tcpu = vm.cpu[0]
A virtual CPU. RuntimeError when it runs: vm.pause() first.\fid\tIts number in the VM.
vm\tThe hv.VM it belongs to.
pc\tWhere it goes on: ELR_EL2.
sp\tThe stack pointer that PSTATE.SP chooses: SP_EL1 or SP_EL0.
pstate\tSPSR_EL2 (C5.2.18): flags, masks, exception level. ValueError for a level a guest cannot have.
x\tx[0] to x[30], 64 bits.
q\tq[0] to q[31], 128 bits.
fpcr\tFPCR, 32 bits.
fpsr\tFPSR, 32 bits.
sysreg\tEL1's system registers by name or encoding, and what the guest would read of others.
exit\tIts last exit, always the newest.
pin\tThe core it must run on; None: any. Also while it runs.
exits\tHow many exits there were, {exception class: count}, interrupts under "irq".
sp_el2\tEL2's stack pointer at its last exit.
now\tAlso while it runs: its state ("off", "stopped", "ready", "running", "idle", "python"), the core it is on, and PC and PSTATE, of one that runs as they were at its last exit.
reset(pc=0, x0=0)\tEvery register as after a reset: EL1h, interrupts masked, MMU off.
translate(va, write=False, el0=False)\tThe IPA and the machine's address of a guest's address, by both stages. Fault when one refuses.
inject(what, where)\tGive the guest an exception when it next runs: "undefined", "abort" or "fetch" (where: FAR_EL1), "svc" or "brk" (where: the immediate), "step", "breakpoint", "watchpoint" (FAR_EL1), "serror"; an int is ESR_EL1 as it is, of any class (where: FAR_EL1). Or "irq", an edge of interrupt `where`, 32 and up.
read(va, n)\tThe guest's memory at an address of its own, by both stages: fewer bytes where the next one is not mapped or is no RAM. Access rights do not matter, and no device ever notices.
write(va, data)\tWrite there, read-only pages too; how many bytes it was. Caches are as after vm.memory's writes.
string(va, limit=256)\tThe text at an address of the guest's, up to its zero, to what cannot be read, or to `limit` bytes.
step(n=1, f=None)\tOf a VM that does not run: execute n instructions on this vCPU alone, interrupts held back, and call f(cpu) behind each; hv.STOP ends it. At a breakpoint that is the guest's own instruction, and no hit; from LDXR it is all to behind STXR. What handlers have tried 300 times is over, with that exit. Returns an Exit: "step", or what ended it earlier.
next()\tAs step(), but a call (BL, BLR) is run until it returns, by all of the VM.
finish()\tRun the VM until the function this vCPU is in has returned to its caller.
dump()\tPrint everything it has, decoded.
where(limit=32)\tWhere it is: functions from the innermost on, by frame records, through exceptions and into user space, and the instructions around its PC. At the prompt it shows; a script has .frames, (address, "name+0x10" or None, "pc", "call", "exception" or "EL0"), and .code, (address, word, text).""",
    """\
Exit\texit = vm.run(), cpu.exit
Why a guest stopped, or is stopped now. Of vm.run() it is a copy, cpu.exit is always the last one.\freason\t"hvc", "smc", "sysreg", "mmio", "fetch", "wfx", "breakpoint", "watchpoint", "step", "trap": an exit that nobody answered, its esr says more. "off", "reset", "cpu_off": the guest's doing. "stop": a handler's. "timeout": time is up, or pause(). "memory": the machine has none left for its RAM; close a VM, and go on. "raised": a handler raised. Of cpu.exit also "interrupt" (the hypervisor had something to do), "idle" (waits for one), "none": has not run yet.
esr\tESR_EL2: the syndrome (D13.2.37); hv.explain() puts it into words.
ipa\tThe guest physical address of an abort.
va\tFAR_EL2: the guest's own address of an abort.
far\tThe same as va.
hpfar\tHPFAR_EL2 as it was read (D13.2.57).
pc\tWhere the instruction is.
value\tWhat is stored, or written to a register.
size\tThe width of a load or store in bytes.
write\tWhether it is a store, or an MSR.
cpu\tThe vCPU it is of.""",
    """\
Memory\tvm.memory
A VM's RAM by IPA: memory[ipa], memory[ipa:end] as bytes; anything that takes a buffer takes it whole.

Caches are cleaned and dropped as a guest with its caches off needs it. ValueError outside RAM.\fbase\tThe IPA of its first byte.
size\tIts size in bytes.
find(what, start, end, step=0)\tThe IPA where these bytes are first, or -1. step: only start, start + step, ... are looked at.
view(ipa, size)\tThe memory itself, what breakpoints have planted there with it. Caches are yours to clean().
clean(ipa, size)\tClean and invalidate the data cache to the point of coherency (D4.4).""",
    """\
Stage2\tvm.stage2
What a guest's addresses (IPA) mean on this machine.\fmap(ipa, pa, size, perms=None, type=None, *, unsafe=False)\tLet the guest reach [pa, pa + size) of this machine at `ipa`; pa None: memory of its own, zeroed if it is new. perms: letters of "rwx" (default: all; "rw" of a device). type: "normal", "nc" (not cached) or "device", the default outside RAM. ValueError when that is the hypervisor's or another VM's, or a device that may write to memory by itself (DMA), unless `unsafe`.
unmap(ipa, size)\tTake it away: an access is an exit, or a device's.
protect(ipa, size, perms)\tChange the rights of what is mapped there: letters of "rwx", or "" for none.
walk(ipa)\tThe entry for an IPA as (level, entry), or None.
translate(ipa)\tThe physical address behind an IPA; hv.Fault when there is none.
dump()\tPrint what is mapped. "*": said by a script.""",
    """\
EL2Registers\tvm.el2
A VM's own HCR_EL2, CPTR_EL2, MDCR_EL2, CNTHCTL_EL2, VTCR_EL2 and HSTR_EL2, in force while it runs.

el2["HCR_EL2"] |= 1 << 26. ValueError, with the reason, for a bit that must stay as it is.\fset(register, value, *, unsafe=False)\tSet one; with `unsafe` whatever it breaks.""",
    """\
Console\tvm.console
The other end of a guest's PL011, a stream. Nothing blocks: None when there is nothing to read.\fany()\tHow many bytes can be read now.
printed(at=0, size=2048)\tLook at what the guest has printed, attached or not, without taking it from who reads it: where to go on, and up to `size` bytes from the at-th on, or from the oldest of the last 16,384.
read(size=-1)\tWhat the guest has printed.
readinto(buf, size)\tThe same into a buffer; how many bytes.
readline(size=-1)\tThe same up to the end of a line.
write(buf, size)\tType bytes at the guest; how many it had room for.""",
    """\
Kernel\tk = vm.kernel
A running Linux: `vm.kernel`. A VM that runs stands still while one of its methods looks; in a handler the other vCPUs do.

hv.Fault, which names the address, where something is not mapped, a list leads nowhere, or there is no end to what is read; what was found before is in the exception's `rows`.\ftypes\t
release\tAs `uname -r` says: "6.1.0-50-cloud-arm64".
version\tAs /proc/version says.
ps(threads=False)\tIts processes: (pid, ppid, uid, state, name), state as ps has it (R, S, D, T, t, X, Z, P, I). threads: each of their threads, by its own number.
dmesg()\tWhat it has logged, the lines of `dmesg`: of its printk ring, so also what no console has shown.
files(pid)\tThe files that a process has open: (fd, path), as /proc/PID/fd has them.
modules()\tIts modules, newest first: (name, size, address, state), as /proc/modules has them.
syscalls()\t{number: name} of its system calls, as openat for __arm64_sys_openat; those it does not have are left out.
stack(pid)\tWhere a process, or a thread by its number, is in the kernel, and beyond: an hv.where.Where, with `frames`.
address(name)\tThe address of a variable or function. Those that a kernel without KALLSYMS_ALL has no name for are found by what is in them: init_task, modules, prb, sys_call_table.
symbol(address)\tThe function or variable an address (or Value) is in, as "name+0x10". KeyError when it is in none.
type(name)\tA type by its name, "struct list_head", "list_head", "u64", "struct page *": printed it is its members and where they are. size, members, offset("a.b"). KeyError when there is none.
cast(type, where)\tWhat is at an address (or Value) as of a type: a Value or a number. Of "struct page *" the address is the pointer.
container_of(where, type, member)\tThe struct that has this member, "a" or "a.b", at an address (or Value).
each(head, type, member)\tIterate over the structs that are in a list (struct list_head) by this member. hv.Fault when it has no end.
read(where, size)\tBytes at an address (or Value) of the kernel's. hv.Fault where nothing is mapped.
string(where, limit=256)\tText up to its NUL, at an address (or Value).
number(va, size=8)\tAn unsigned number of so many bytes at an address of the kernel's. hv.Fault where nothing is mapped.
peek(va, size, root=None)\tAs read(), also of a process whose tables are at `root`; fewer bytes where nothing is mapped.""",
    """\
Rule\trule = vm.rule(...)
What vm.rule() has set up.\fhits\tHow many exits it has matched.
value\tThe number that "const" answers and "shadow" keeps.
remove()\tEnd it.""",
    """\
Watch\tw = vm.watch(...)
A watched range of a guest's memory: hits, on(), off(), remove(). where, address, size, rights: of what.\faddress\t
where\t
size\t
rights\t
hits\tHow many accesses to it there were.
kind\tHow it is made: "hardware", in one of the vCPUs' own four; "pages", whose accesses are all exits.
rate\tAccesses a second that went by on its pages, once they were many: then its page is hot, which is said.
on()\tAgain, after off(): by the guest's tables as they are then.
off()\tIt costs and counts nothing until on().
remove()\tFor good.""",
    """\
IRQ\tirq = vm.irq(intid)
An interrupt of a guest.\fintid\tIts number: 0 to 15 an SGI, to 31 a PPI, from 32 on a device's.
enabled\tThe guest wants it (GICD_ISENABLER).
pending\tIt has come, and the guest has not taken it yet.
active\tThe guest has taken it, and not ended it yet.
level\tIts line is high.
edge\tIt is edge-triggered, as the guest has said (GICD_ICFGR).
hw\tThe physical interrupt behind it is active.
priority\tIts priority, 0 the highest (GICD_IPRIORITYR).
cpu\tThe vCPU that gets it.
hits\tHow often it rose since it is watched.
set(level)\tThe level of its line.
pulse()\tAn edge, of a device's interrupt (32 and up).
watch(handler=None, drop=False)\tCount it (hits); drop it; or ask handler(irq), soon and on the boot core, each time it rises: the guest does not get it when that returns False. Returns the handler: a decorator.
unwatch()\tEnd what watch() began.
forward(physical)\tThe machine's SPI of this INTID becomes this one; None ends that.""",
    """\
Register\tfrom hv.regs import HCR_EL2
A system register: prints as its fields, which are attributes too. Any encoding has a name: S3_1_C15_C2_1.

Fault when this core does not have it. HCR_EL2(value) is a number seen and changed by its fields.\fname\tIts name.
enc\tIts encoding, op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2; 0 for a mere layout.
access\t"RW", "RO", "WO", "SYS" for an instruction such as TLBI_ALLE2, "" for a layout.
fields\t{name: (high bit, low bit)}, by the names of the ARM ARM.
read()\tIts value, 64 bits.
write(value, *, unsafe=False)\tWrite it, with the barriers that needs. ValueError, with the reason, for what EL2 or its guest stands on, unless `unsafe`.
decode(value)\tThe fields of a value, or of its own, that are not zero.""",
    """\
hv.mmu\timport hv.mmu
hv.mmu: EL2's own address space, where Python lives. Virtual is physical unless you say otherwise.

    hv.mmu.map(0x0A00_0000, 0x0A00_0000, 0x1000, "device")
    hv.mmu.dump()

Types: "data" (read, write), "ro", "code" (read, execute), "nc" (data, not cached), "device". Addresses and sizes are multiples of 4 KB. What the hypervisor itself stands on is refused with a ValueError, unless `unsafe`: then the next thing you see may be a register dump. Pause guests that run on other cores first: a block of 2 MB of which a part changes is not there for a moment (DDI 0487 D5.10.1).\fmap(va, pa, size, type='data', *, unsafe=False)\tMake [pa, pa + size) appear at `va`, where nothing may be mapped yet.
unmap(va, size, *, unsafe=False)\tTake it away: what is touched there raises, or is the end.
protect(va, size, type, *, unsafe=False)\tChange the type of what is mapped there.
translate(va, write=False)\tThe physical address, asked of the MMU itself (AT S1E2R or S1E2W); hv.Fault when there is none.
walk(va)\tThe entry for an address as (level, entry), or None.
dump()\tPrint what is mapped, and which parts are the image's.""",
    """\
hv.virtio\tfrom hv.virtio import Device
Virtio devices for guests, and what one's own are made from.

    from hv.virtio import Device

    class Reverse(Device):
        id = 42
        def request(self, queue, r):
            r.write(bytes(reversed(r.read())))

    vm.virtio(Reverse())

The transport and the queues are native (virtio 1.1, modern and legacy). A request `r` is what a driver has put in a queue: bytes to read, then room for an answer.

    r.readable, r.writable          bytes left of each
    r.read(n), r.readinto(buffer)   take the next bytes out
    r.write(buffer)                 answer; returns how many bytes there was room for
    r.data(n), r.room(n)            the next bytes where they are: memoryviews of the guest's RAM
    r.done()                        give it back to the driver: for those that were kept\fDevice\tid: the device type; features: offered bits, 0 to 23; config: at most 256 bytes; queues: 1 to 8. passive: a bit for each queue whose requests are not handed to `request`, but taken with `pop`, as those of a receive queue. legacy: the device has the transport of before virtio 1.0.
Device.plug(vm, slot)\tvm.virtio() has found a slot: from now on a driver sees the device.
Device.request(queue, r)\tA request. It is given back on return, and void then, but not when that is true: then r.done() does it. One that takes long yields now and then: others are served in between, and it is given back at its end.
Device.ready(queue)\tThere may be something new in a passive queue.
Device.reset()\tThe driver has begun anew. Requests of before are void.
Device.save()\tWhat goes into a snapshot of the VM besides the transport and the queues, which do by themselves. Requests that are at work on, or kept, are void when the VM has gone back, and are asked again.
Device.load(state)\tThe VM has gone back to where save() returned this.
Device.pop(queue)\tThe next request in a queue, or None.
Rng\tRandom numbers (virtio 1.1, 5.4).
Console\tA console (virtio 1.1, 5.3): Linux's /dev/hvc0. It is a stream, of which nothing blocks. output: a function that is called with what the guest prints, as bytes; without it read() has the last 16 KB.
Console.any()\tHow many bytes read() has.
Console.read(n=16384)\tWhat the guest has printed: at most n bytes, b"" when there is nothing.
Console.write(data)\tType at the guest. Returns how many bytes were taken: 16 KB wait at most.""",
    """\
Request\tr of request(queue, r)
A request of a guest's virtio driver: bytes to read, then room for an answer (virtio 1.1, 2.6).\freadable\tBytes left to be read.
writable\tBytes of room left.
read(size)\tTake the next bytes out.
readinto(buf)\tThe same into a buffer; how many.
number(size)\tTake the next 1 to 8 bytes out as a number, little-endian; those that are not there are 0.
write(buf)\tAnswer; how many bytes there was room for.
data(size)\tThe next bytes where they are, in guest RAM.
room(size)\tWhere the next bytes of the answer go, in guest RAM.
done()\tGive it back to the driver.""",
    """\
Virtio\tdevice.port
A virtio device's place in a VM: what hv.virtio.Device.port is.\fslot\tIts slot, 0 to 31.
status\tThe driver's status byte (virtio 1.1, 2.1).
features\tThe features the driver has accepted.
fault\tWhat was wrong with the driver's queues, when the device needs a reset.
pop(queue)\tThe next request in a queue.
configure(config)\tNew contents of the configuration space; the driver is told.""",
    """\
hv.block\tfrom hv.block import Block
Disks for guests: virtio block devices (virtio 1.1, 5.2), and what they are kept in.

    vm.block("/disk/root.img")              # a file; writes go to it
    vm.block("/disk/root.img", cow=True)    # the file stays as it is
    vm.block(machine.Disk(1))               # a block device of the machine
    vm.block(hv.blob(), readonly=True)      # any buffer
    vm.block(16 << 20)                      # an empty disk in memory, 16 MB

A store has a size in bytes, read(at, view), write(at, view) and sync(), and may have a unit, the bytes that are read and written at a time. A script may bring its own.\fBuffer\tAnything with the buffer protocol. Writes raise TypeError when it cannot be changed.
File\tA file of the target, opened when the disk is made.
Blocks\tA block device as MicroPython's file systems use them (vfs.AbstractBlockDev).
Overlay\tWhat is written goes to memory, 64 KB at a time; the rest is read from `base`. quota: how many bytes of memory it may take, by itself half of what is free when it is made. A write that would need more raises OSError (ENOSPC); so does one that would leave others less than a sixteenth of the machine's.
Overlay.chunks\tViews of.
Overlay.pages\tThese.
Overlay.frozen\tNumbers of those that a snapshot knows too.
Overlay.commit()\tWrite it all to the base.
store(source, readonly)\tWhat a disk is kept in, by what it was made from.
Block\tsource: a path, a buffer, a block device, a store, or bytes of memory. cow: what the guest writes is kept in memory (disk.store.chunks) and `source` is not changed; at most `quota` bytes, by itself half of what is free: a write beyond that fails. bytes objects are read-only.
Block.error\tThe last exception of the store: its request was answered as failed.
Block.thaw()\tThe last snapshot has been dropped: what was written since the first one goes to where it belongs.""",
    """\
hv.net\tfrom hv.net import Net, Switch
Networks of guests: a switch, and the virtio network devices (virtio 1.1, 5.1) that plug into it.

    lan = hv.Switch()
    one.net(lan)
    two.net(lan)

Besides guests, whatever has receive(frame) may be in lan.ports, and send with lan.forward(itself, frame). A frame is a buffer from the destination address on, without a checksum; it is for the time of the call.\fSwitch\tLearns from their frames which port has which address; what it does not know goes to all others. A port that has a `mac` sends from that address only, and nobody else can have it: frames that say otherwise are dropped and counted in its `forged`. Not so one whose `spoof` is true, as a bridge wants it: what it sends from is learnt, but for addresses that are another port's own or that another port has been learnt to have. A port without `mac` is the script's own, and may send from any.
Switch.macs\tPort by address, to look at.
Switch.forward(sender, frame)\tBring a frame from the port `sender` to where it is meant for.
Switch.tap(f)\tCall f(port, frame) with each frame that is switched, before it is delivered: port is the sender's, and frame a buffer for the time of the call. Ended by remove(), or by an exception of f's.
Switch.pcap(path)\tWrite each frame that is switched to a file that Wireshark and tshark read (hv.pcap.Capture), until its close().
Switch.uplink(n=0)\tThe machine's n-th virtio network device joins the switch (hv.uplink.Uplink): with QEMU's user network guests reach the host and what it reaches. OSError: there is none, or a guest has it.
Switch.join(port)\tA guest's port: its own address is no other's. ValueError: it is already.
Switch.leave(port)\tA port is gone.
Net\tA network device on a switch. mac: 6 bytes; by itself one that no other VM here has. spoof: the guest may send from other addresses than that, as a bridge or a hypervisor does. sent, received, dropped, forged: frames; dropped are those the guest had no buffer for, forged those it sent from an address that is not its own.
Net.receive(frame)\tA frame from the switch.""",
    """\
Tap\ttap = lan.tap(f)
Sees the frames of a switch: Switch.tap().\fswitch\t
f\t
remove()\tIt sees no more. Again: nothing.""",
    """\
hv.loader\timport hv.loader
Puts images into guest RAM: ELF, arm64 Image, flat binaries, also gzip'd or as EFI zboot.

    loaded = loader.load(memory, "hello.elf")
    loaded = loader.linux(memory, "Image", tree, initrd="rd.gz")

A source is a path, an open binary file or a buffer. Headers are checked before guest RAM is touched, data goes from the source straight into `memory.view(ipa, n)`, and when a source turns out bad on the way (short, a checksum wrong) what was written is zeroed: after a ValueError there is nothing to run.\fPAGE_SIZES\tTranslation granules of the Cortex-A53: it has no 16 KB.
INITRD_REACH\tFrom the 1 GB boundary below the kernel (booting.rst).
Loaded\tWhat was loaded and where
Loaded.taken()\t[(base, end)] of RAM that is in use now; see `put_tree`.
identify(head, size=None)\tTell an image by its first bytes (4 KB are plenty) and, if known, its size in bytes
load(memory, source, at=None, entry=None, progress=None, kind=None)\tLoad an image into guest RAM; returns a Loaded
linux(memory, kernel, tree, initrd=None, progress=None, taken=())\tLoad a kernel, initrd and device tree as arm64's booting.rst wants them; returns a Loaded
put_tree(memory, tree, taken=(), at=None)\tWrite a device tree where `taken`, [(base, end)], leaves room; returns its IPA for x0
place_tree(memory, tree, loaded, at=None)\tput_tree() for what has been loaded: above it
find_place(memory, size, taken, lowest=0)\tAn IPA from `lowest` on for a device tree of `size` bytes, 2 MB aligned where possible.""",
    """\
hv.machine_dt\timport hv.machine_dt
The device tree a guest sees: made for the machine a VM offers, or the user's own, fitted to it.

The machine is QEMU's "virt" as far as a guest can tell, so that what runs there runs here. Plain numbers in, an `fdt.Tree` out; nothing here knows the VM.\fTIMER_PPIS\tSecure physical, physical, virtual, hypervisor.
virt(ram, cpus=1, gic=2, *, cpu='arm,cortex-a53', uart=True, rtc=True, virtio=(), flash=(), pmu=False, nodes=(), reserved=(), model='linux,dummy-virt', **chosen)\tThe tree of a virt-compatible machine
choose(tree, bootargs=None, initrd=None, rng_seed=None, kaslr_seed=None)\tSet what is given in /chosen; stale seeds and initrd addresses go in any case.
adapt(tree, ram, cpus=1, gic=2, *, virtio=None, drop=ABSENT, **chosen)\tFit a user's tree, in place, to a VM: arguments as for `virt`; returns the tree""",
    """\
hv.fdt\timport hv.fdt
Flattened device trees (Devicetree Specification v0.4, chapter 5): read, edit, write.

    tree = fdt.parse(blob)                      # any buffer; ValueError names the offset
    tree["/chosen"]["bootargs"] = "quiet"       # str, int, bytes, or a list of those
    for path, node in tree.compatible("arm,pl011"):
        print(path, tree.reg(path))
    blob = tree.pack()

A property's value is the bytes of the blob; `node.u32()`, `.u64()`, `.string()` and their kin decode it. Trees written by dtc are packed again to the same bytes.\fu32(*values)\tCells: each value as four bytes, big-endian.
u64(*values)\tCell pairs: each value as eight bytes, big-endian.
encode(value)\tThe bytes of a property
Node\tA node: its name (with the unit address), properties in order, children in order.
Node.get(prop, default=None)\tThe bytes of a property, or `default`.
Node.update(props)\tSet properties from a dict or, where their order matters, from (name, value) pairs.
Node.discard(*props)\tRemove those of the properties that are there.
Node.cells(prop, default=None)\tA property as a tuple of 32-bit cells.
Node.u32(prop, default=None)\tA property of one cell.
Node.u64(prop, default=None)\tA property of two cells (or one, as some writers do) as one number.
Node.strings(prop, default=None)\tA property as a list of strings.
Node.string(prop, default=None)\tA property's first string.
Node.phandle\tThe node's phandle, or None.
Node.is_compatible(*names)\tWhether "compatible" lists one of the names.
Node.child(name)\tThe child of that name or None; the unit address may be left out.
Node.add(name, props=None)\tAppend a child (a name with its properties, or a Node) and return it.
Node.walk(path='')\t(path, node) for this node and all below it, parents first; no edits meanwhile.
Tree\tA device tree: `root`, `reserved` (list of (address, size) in memory), `boot_cpu`.
Tree.get(path, default=None)\tThe node at a path, "/a/b@1" or "alias/b"; unit addresses may be left out.
Tree.absolute(path)\tA path without an alias and options (":115200n8"); None if there is no such alias.
Tree.node(path, props=None)\tThe node at an absolute path, made if missing, with those properties set.
Tree.parent(path)\tThe parent of the node at a path.
Tree.remove(path)\tRemove the node at a path and all below it.
Tree.walk()\t(path, node) for every node, parents first; no edits meanwhile.
Tree.compatible(*names)\t[(path, node)] of the nodes compatible with one of the names.
Tree.reg(path, prop='reg')\t[(address, size)] of a node, by its parent's #address-cells and #size-cells.
Tree.phandle(number)\tThe node with that phandle, or None.
Tree.new_phandle()\tA phandle that no node has.
Tree.pack(size=0)\tThe blob (version 17) as a bytearray, padded to `size` bytes if it is smaller.
parse(blob)\tRead a blob of version 16 or 17; ValueError names the offset and what is wrong there.""",
    """\
machine\timport machine
The machine below EL2, as MicroPython's machine module sees it.\fPWRON_RESET\treset_cause() after a power-on or machine.reset().
SOFT_RESET\treset_cause() after Ctrl-D or machine.soft_reset().
mem8\tmem8[address]: a byte.
mem16\tmem16[address]: 2 bytes.
mem32\tmem32[address]: 4 bytes.
mem64\tmem64[address]: 8 bytes.
initrd()\tWhat the machine was started with as its initrd; its RAM is nobody else's
blob(address, size)\tMemory outside RAM, such as flash, read-only
reset()\tReset the machine, by PSCI SYSTEM_RESET.
soft_reset()\tBegin a new session: every VM ends, the interpreter starts anew.
bootloader()\tNotImplementedError: the machine has none, whoever starts it loads the image.
reset_cause()\tPWRON_RESET or SOFT_RESET.
unique_id()\tMIDR_EL1 and MPIDR_EL1: which core this is.
freq()\tThe counter's frequency in Hz, CNTFRQ_EL0.
idle()\tWait for an interrupt; guests run meanwhile.
lightsleep(time_ms)\tWait; guests run meanwhile.
deepsleep(time_ms)\tWait, then reset.
disable_irq()\tMask interrupts; returns what enable_irq() takes.
enable_irq(state)\tInterrupts as they were before disable_irq().
time_pulse_us(pin, level, timeout_us=1000000)\tMicroseconds that a pin-like object stays at a level.
PinBase\tWhat a pin-like object written in Python inherits from.
Signal\tA pin-like object, perhaps inverted.
RTC\tThe machine's real-time clock, a PL031.
RTC.datetime()\tYear, month, day, weekday (0 is Monday), hour, minute, second, microsecond; or set them.
Timer\tA software timer on EL2's own.
Timer.init(*, mode, period, freq, callback=None)\tStart it: period in ms, or freq in Hz.
Timer.deinit()\tStop it.
UART\tThe console as a stream of bytes
UART.any()\tHow many bytes can be read now.
Serial\tA serial line of the machine besides the console, as a stream that never blocks: hv.serial(n).
Serial.any()\tHow many bytes can be read now.
Serial.irq(handler)\tCall handler(line) soon after something has come or there is room again; None: do not.
Serial.read(size)\tWithout size: what has come by now; None: nothing.
Serial.write(buf, size)\tReturns how many bytes there was room for; None: for none.
NIC\tA virtio network device of the machine's, in the order of QEMU's command line; it never waits
NIC.irq(handler)\tCall handler(nic) soon after a frame has come or there is room again; None: do not.
NIC.mac()\tIts 6 bytes; zeros where the device names none.
NIC.readinto(buf)\tThe next frame: how many bytes; None: none has come
NIC.write(frame)\tSend a frame of 14 to 1514 bytes, without its checksum
Disk\tA virtio-mmio block device of the machine's, in the order of QEMU's command line.
RAMDisk\tThe block device behind "/"; it lives until power-off.
FwCfg\tOne item of QEMU's firmware configuration device, as a read-only file.""",
    """\
Registers\tcpu.x, cpu.q, cpu.sysreg
A vCPU's x, q or sysreg: numbers by index or name, printed as a table.\f""",
)
