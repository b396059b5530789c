# SPDX-License-Identifier: MIT
"""What a script does with a VM while its guest runs: the guests of the other kinds, under that."""

import programs

# On the target: each is a few words of a script's, at any moment of the guest's; what it may raise is what tells that it
# cannot be now.
TARGET = r"""
import random, hv.fork
REFUSED = (ValueError, RuntimeError, MemoryError, OSError, hv.Fault)
R = random.randrange

def _place():
    return 0x4000_0000 + R(512) * 4096 + R(1024) * 4 if R(3) else 0x4008_0000 + R(64) * 4 + R(3) * 0x8000

def _thing(*made):
    return made[R(len(made))]

def _fork(vm, kept):
    with vm.snapshot().fork() as other:
        other.start()
        time.sleep_ms(R(4))
        if R(2):
            other.back(other.snapshot())
        if R(2):
            other.pause()
            other.memory[0x4010_0000:0x4010_0004] = b"fork"
            with other.snapshot().fork() as third:
                if R(2):
                    other.close()
                third.run(R(4))

def _file(vm, kept):
    vm.snapshot().save("fire.bin")
    with hv.load("fire.bin", devices={5: Echo(vm._virtio[5].legacy)} if vm._virtio else None) as other:
        other.run(R(4))

def _step(vm, kept):
    vm.pause()
    cpu = vm.cpu[R(len(vm.cpu))]
    _thing(cpu.step, cpu.step, lambda: cpu.step(R(50)), lambda: cpu.step(R(9), lambda cpu: None), cpu.where)()

def _record(vm, kept):
    if len(vm.cpu) == 1:
        record = vm.record()
        vm.start()
        time.sleep_ms(R(6))
        record.to(R(record.length + 1))
        record.back(min(R(9), record.position))
        _thing(record.replay, record.stop, record.drop, record.check, lambda: record.save("fire.txt"), lambda: record.to(record.length))()
        if not R(3):
            vm.reset()

def _again(vm, kept):
    vm.pause()
    if R(2):
        vm.reset()
    cpu = vm.cpu[0]
    cpu.reset(0x4008_0000)
    cpu.sp = 0x4007_0000

def _handler(vm, kept):
    f = _thing(lambda cpu, *x: hv.SKIP, lambda cpu, *x: vm.snapshot() and None, lambda cpu, *x: vm.back() if R(3) == 0 else hv.STOP, lambda cpu, *x: vm.pause() and None,
               lambda cpu, *x: cpu.where() and None, lambda cpu, *x: 1 / 0, lambda cpu, *x: (1, 2, 3), lambda cpu, *x: hv.RETRY if R(9) else hv.STOP)
    _thing(lambda: vm.hvc(0x8400_0000, f), lambda: vm.exception(0x3C, f), lambda: vm.wfi(f), lambda: vm.wfe(f), lambda: vm.default(f),
           lambda: vm.mmio(0x0B10_0000, 64, f), lambda: vm.trap_el1_exceptions("all", f), lambda: vm.trap_el1_exceptions(None),
           lambda: vm.on(_place(), f), lambda: vm.watch(ipa=_place(), size=1 + R(5000), rights="rw", f=f), lambda: vm.sysreg("ID_AA64PFR0_EL1", f))()

def _stage2(vm, kept):
    ipa, size = 0x4000_0000 + R(512) * 4096, (1 + R(8)) * 4096
    _thing(lambda: vm.stage2.protect(ipa, size, _thing("r", "rw", "rwx", "rx", "")), lambda: vm.stage2.protect(0x4000_0000, 2 << 20, "rwx"),
           lambda: vm.stage2.map(0x6000_0000 + R(64) * 4096, None, size), lambda: vm.stage2.unmap(0x6000_0000, 0x4_0000),
           lambda: vm.stage2.translate(ipa), lambda: vm.stage2.walk(ipa))()

def _irq(vm, kept):
    irq = vm.irq(R(288), R(len(vm.cpu)))
    _thing(irq.pulse, lambda: irq.set(R(2)), irq.watch, irq.unwatch, lambda: irq.watch(lambda i: R(2) == 0), lambda: (irq.pending, irq.active, irq.level, irq.cpu),
           lambda: vm.inject.irq(irq.intid, drop=0.5), lambda: vm.inject.irq(irq.intid, storm=1 + R(9)), lambda: vm.inject.irq(irq.intid, delay_ms=1 + R(3)))()

def _remove(vm, kept):
    made = vm.breaks() + vm.watches() + vm.faults() + vm._traces + tuple(kept)
    if made:
        one = made[R(len(made))]
        getattr(one, "remove", None) and one.remove()
        getattr(one, "stop", None) and one.stop()
        getattr(one, "drop", None) and one.drop()

def _fuzz(vm, kept):
    vm.pause()
    with vm.fuzz(None, 0x4010_0000, (0x4008_0000 + R(64) * 4,), cover=_thing("blocks", "steps", None), max=64, ms=2, quota="1M") as fz:
        fz.run(R(20))

ACTS = (
    lambda vm, kept: vm.snapshot(), lambda vm, kept: vm.snapshot(), lambda vm, kept: vm.back(), lambda vm, kept: vm.back(),
    lambda vm, kept: kept.append(vm.snapshot()), lambda vm, kept: vm.back(kept[R(len(kept))]) if kept else None,
    lambda vm, kept: [s.drop() for s in list(vm._snapshots.values())] if vm._snapshots else None,
    _fork, _file, _step, _record, _again, _handler, _handler, _stage2, _stage2, _irq, _irq, _remove, _remove, _fuzz,
    lambda vm, kept: vm.pause(), lambda vm, kept: vm.pause(), lambda vm, kept: vm.run(R(4)), lambda vm, kept: vm.until(_place(), R(4)),
    lambda vm, kept: vm.on(_place(), action=_thing("count", "log", "stop")), lambda vm, kept: vm.on(_place(), lambda cpu: None, ret=lambda cpu: None, once=R(2) == 0),
    lambda vm, kept: vm.watch(_place(), 1 + R(64), "rw", action=_thing("count", "log", "stop")),
    lambda vm, kept: vm.watch(ipa=_place(), size=1 + R(99999), rights=_thing("r", "w", "rw"), action=_thing("count", "log", "stop")),
    lambda vm, kept: kept.append(vm.trace(_thing("exit", "irq", "svc", "sched", "exit svc sched irq", "mmio:pl011"), "4K")),
    lambda vm, kept: kept.append(vm.count("exit", _thing("pc", "x0", "value"))), lambda vm, kept: [list(t) for t in vm._traces],
    lambda vm, kept: vm.history(1, 3), lambda vm, kept: vm._history and vm._history.clear(), lambda vm, kept: vm.back(ms=R(5)) if vm._history else None,
    lambda vm, kept: hv.share(R(10) / 10.5), lambda vm, kept: [cpu.now for cpu in vm.cpu], lambda vm, kept: vm.memory.view(_place(), 4),
    lambda vm, kept: _write(vm), lambda vm, kept: vm.console.write(b"typed"),
    lambda vm, kept: vm.rule(_thing("hvc", "smc"), 0x8400_0000 + R(9), _thing("count", "log", "deny")), lambda vm, kept: vm.el2.set("HCR_EL2", vm.el2["HCR_EL2"] ^ 1 << R(64)),
    lambda vm, kept: vm.el2.set(_thing("MDCR_EL2", "CPTR_EL2", "CNTHCTL_EL2", "HSTR_EL2", "VTCR_EL2"), 1 << R(32)), lambda vm, kept: vm.inject.clock(ms=R(2000) - 1000),
    lambda vm, kept: vm.explain(_place()), lambda vm, kept: setattr(vm.cpu[0], "pin", _thing(None, 0, 1)), lambda vm, kept: setattr(vm, "stop_time", R(2) == 0),
    lambda vm, kept: vm.start(R(len(vm.cpu))), lambda vm, kept: hv.events(), lambda vm, kept: gc.collect(),
)

def _write(vm):
    at = _place() & ~7
    vm.memory[at : at + 8] = b"12345678"

def _fire(vm, seed, ms):
    "What a script does, until time is up. Returns what was done and refused."
    random.seed(seed)
    kept, done = [], []
    end = time.ticks_add(time.ticks_ms(), ms)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        n = R(len(ACTS))
        done.append(n)
        print(n, end=" ")
        try:
            if not vm.running and R(4):
                vm.start()
            ACTS[n](vm, kept)
        except REFUSED:
            pass
        except ZeroDivisionError:
            pass  # a handler's
        if len(vm.breaks()) + len(vm.watches()) > 12:
            _remove(vm, kept)
    if vm._history:
        vm._history.clear()
    hv.share(0.5)
    return done
"""

UNDER = (
    programs.mmio,
    programs.mmio,
    programs.psci,
    programs.virtqueue,
    programs.stage1,
    programs.a32,
    programs.debug,
    programs.insn,
)


def fire(dice, machine):
    case = dice.choice(UNDER)(dice, machine)
    case.options.update(fire=dice.getrandbits(30), ms=dice.choice((60, 150)), back=True)
    return case
