# SPDX-License-Identifier: MIT
"""Runs on the target, from /rom: what one exit costs. Prints lines "@ row number"."""

import gc
import time

import hv
import micropython

ADD = 0xC600_0001
DEVICE = 0x0B00_0000


# Of vm.run() in count(): how many there were, and which one a row's was.
runs, run_of = 0, {}


def count(row, prepare=None, cpus=1, both=None):
    """Instructions for each time, as the guest's function `row` counts them. both: the rows of two runs of
    which the difference is taken. Each looks for both, or the difference would be of the symbol table, too.
    """
    global runs
    with hv.VM("bench", "16M", cpus) as vm:
        loaded = vm.load("/rom/bench.elf")
        symbols = {name: vm.symbol(name) for name in both or (row,)}
        if prepare:
            prepare(vm)
        cpu = vm.cpu[0]
        cpu.reset(loaded.entry, symbols[row])
        runs += 1
        exit = vm.run()
        if exit.reason != "off":
            raise RuntimeError(f"{row} ended by {exit!r}")
        return cpu.x[1] / max(1, cpu.x[2])


def report(name, value):
    if runs not in run_of:
        run_of[runs] = name
    print(f"\n@ {name} {value:.2f}")


def tell_runs():
    for run, name in run_of.items():
        print(f"\n@ run:{name} {run}")


# What a user writes.


def add(vm):
    @vm.hvc(ADD)
    def add(cpu, x1, x2):
        return x1 + x2


def imm(vm):
    @vm.hvc(imm=7)
    def answer(cpu, x1):
        return x1


def device(vm):
    @vm.mmio(DEVICE, 0x1000)
    def device(cpu, offset, value):
        if value is None:
            return 0x600D


def actlr(vm):
    @vm.sysreg("ACTLR_EL1")
    def actlr(cpu, value):
        return 5


def bound(vm):
    # A handler that is a method, as a device with state has it.
    class Device:
        def __init__(self):
            self.loads = 0

        def access(self, cpu, offset, value):
            self.loads += 1
            return self.loads

    vm.mmio(DEVICE, 0x1000, Device().access)


def late(handler):
    """The handler, where 5,000 objects like those it makes have been made since the last collection."""

    def prepare(vm):
        gc.collect()
        for i in range(5000):
            (i, i, 3)
        vm.hvc(ADD, handler)

    return prepare


def triple(cpu, x1, x2):
    return (x1, x2, 3)


def syndrome(cpu, x1, x2):
    return cpu.exit.esr & 1


# Compiled. The compiler knows the type by its name.
uint = int


def viper(vm):
    @vm.hvc(ADD)
    @micropython.viper
    def add(cpu, x1: uint, x2: uint) -> uint:
        return x1 + x2


def viper_loop(vm):
    @vm.hvc(ADD)
    @micropython.viper
    def ten(cpu, x1: uint, x2: uint) -> uint:
        for _ in range(10):
            x1 += x2
        return x1


def viper_device(vm):
    @vm.mmio(DEVICE, 0x1000)
    @micropython.viper
    def device(cpu, offset: uint, value) -> uint:
        if value is None:
            return uint(0x600D)
        return offset


def viper_actlr(vm):
    @vm.sysreg("ACTLR_EL1")
    @micropython.viper
    def actlr(cpu, value: uint) -> uint:
        return uint(5)


def native_device(vm):
    @vm.mmio(DEVICE, 0x1000)
    @micropython.native
    def device(cpu, offset, value):
        if value is None:
            return 0x600D


def native_code(vm):
    @vm.hvc(ADD)
    @micropython.native
    def add(cpu, x1, x2):
        return x1 + x2


def bytecode_loop(vm):
    @vm.hvc(ADD)
    def ten(cpu, x1, x2):
        for _ in range(10):
            x1 += x2
        return x1


def native_loop(vm):
    @vm.hvc(ADD)
    @micropython.native
    def ten(cpu, x1, x2):
        for _ in range(10):
            x1 += x2
        return x1


def calls(vm):
    # More than the fast path can do: it calls a function.
    @vm.hvc(ADD)
    def larger(cpu, x1, x2):
        return max(x1, x2)


def rule(kind, key, action):
    return lambda vm: vm.rule(kind, key, action, value=5)


def native():
    report("hundred_nops", count("hundred_nops"))
    report("hvc_psci_version", count("hvc_psci_version"))
    report("smc_psci_version", count("smc_psci_version"))
    for row in "hvc_psci_features", "hvc_affinity_info":
        report(row, count(row))
    report("hvc_unknown", count("hvc_add"))
    report("sysreg_native", count("sysreg_write"))
    report("pl011_out", count("pl011_out"))
    report("pl011_flags", count("pl011_flags"))


def rules():
    report("rule_hvc_const", count("hvc_add", rule("hvc", ADD, "const")))
    report("rule_hvc_count", count("hvc_psci_version", rule("hvc", 0x8400_0000, "count")))
    report("rule_hvc_log", count("hvc_psci_version", rule("hvc", 0x8400_0000, "log")))
    report("rule_mmio_const", count("mmio_load", rule("mmio", (DEVICE, 16), "const")))
    report("rule_mmio_shadow", count("mmio_store", rule("mmio", (DEVICE, 16), "shadow")))
    report("rule_sysreg_const", count("sysreg_read", rule("sysreg", "ACTLR_EL1", "const")))


def python():
    report("hvc_python", count("hvc_add", add))
    report("hvc_imm_python", count("hvc_imm", imm))
    report("hvc_python_calls", count("hvc_add", calls))
    report("hvc_python_triple", count("hvc_add", late(triple)))
    report("hvc_python_exit", count("hvc_add", late(syndrome)))
    report("mmio_load_python", count("mmio_load", device))
    report("mmio_load_late_python", count("mmio_load_late", device))
    report("mmio_load_post_python", count("mmio_load_post", device))
    report("mmio_store_python", count("mmio_store", device))
    report("mmio_load_method", count("mmio_load", bound))
    report("sysreg_write_python", count("sysreg_write", actlr))
    report("sysreg_read_python", count("sysreg_read", actlr))


def compiled():
    report("hvc_viper", count("hvc_add", viper))
    report("hvc_viper_loop", count("hvc_add", viper_loop))
    report("hvc_native", count("hvc_add", native_code))
    report("hvc_native_loop", count("hvc_add", native_loop))
    report("hvc_bytecode_loop", count("hvc_add", bytecode_loop))
    report("mmio_load_viper", count("mmio_load", viper_device))
    report("mmio_store_viper", count("mmio_store", viper_device))
    report("sysreg_read_viper", count("sysreg_read", viper_actlr))
    report("sysreg_write_viper", count("sysreg_write", viper_actlr))
    report("mmio_load_native", count("mmio_load", native_device))
    report("mmio_store_native", count("mmio_store", native_device))


def watch(handler):
    return lambda vm: vm.watch(ipa=0x4020_1008, size=8, rights="w", f=handler)


def in_register(handler):
    return lambda vm: vm.watch(0x4020_1008, 8, "w", handler)


MARKER = b"\xf0\xdd\x97\xd2"  # MOV X16, #0xBEEF


def at_marker(vm, row):
    start = vm.symbol(row)
    return vm.memory.find(MARKER, start) + 4


def broken(row, f=None, **how):
    return lambda vm: vm.on(ipa=at_marker(vm, row), f=f, **how)


class Hits:
    def __init__(self):
        self.n = 0

    def hit(self, cpu):
        self.n += 1


def breaks():
    report("break_counted", count("break_nop", broken("break_nop", action="count")))
    report("break_python", count("break_nop", broken("break_nop", Hits().hit)))
    report("break_store", count("break_store", broken("break_store", action="count")))
    report("break_system", count("break_system", broken("break_system", action="count")))
    report("step_function", steps(lambda cpu: None))
    report("step_python", steps(Hits().hit))


def steps(f):
    with hv.VM("bench", "4M") as vm:
        vm.memory[0x4008_0000:0x4008_0008] = (
            b"\x21\x04\0\x91\xff\xff\xff\x17"  # add x1, x1, #1; b .-4
        )
        cpu = vm.cpu[0]
        cpu.reset(0x4008_0000)
        cpu.step(10, f)
        so_far = el2_instructions()
        cpu.step(5000, f)
        return so_far() / 5000


def watches():
    report("watch_neighbour", count("watch_neighbour", watch(None)))
    report("watch_hit_counted", count("watch_hit", watch(None)))
    report("watch_hit_python", count("watch_hit", watch(lambda cpu, at, size, old, new: None)))
    report("watch_hard_neighbour", count("watch_neighbour", in_register(None)))
    report("watch_hard_hit", count("watch_hit", in_register(lambda cpu, at, size, old, new: None)))


# str x0, [x1]; add x1, x1, #4096; subs x2, x2, #1; b.ne .-12; hvc #0x100; b .-20
WRITES = (
    b"\x20\0\0\xf9\x21\x04\x40\x91\x42\x04\0\xf1\xa1\xff\xff\x54\x02\x20\0\xd4\xfb\xff\xff\x17"
)


def snapshots():
    """Of a VM of 64 MB, 100 pages of it written: what that costs, and to go back."""
    with hv.VM("bench", "64M") as vm:
        vm.memory[0x4008_0000 : 0x4008_0000 + len(WRITES)] = WRITES
        vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)

        def spent(f, *args):
            so_far = el2_instructions()
            f(*args)
            return so_far()

        def write():
            vm.cpu[0].reset(0x4008_0000)
            vm.cpu[0].x[1], vm.cpu[0].x[2] = 0x4020_0000, 100
            vm.run()

        write()
        vm.snapshot()
        write()
        vm.back()
        report("snapshot_take", spent(vm.snapshot))  # from now on the tables are there
        first, again = spent(write), spent(write)
        report("snapshot_first_write", (first - again) / 100)
        report("snapshot_back", spent(vm.back))
        report("snapshot_write_again", (spent(write) - again) / 100)
        s = vm.snapshot()
        forks = [s.fork()]  # from now on what it is made of is there
        report("snapshot_fork", spent(lambda: forks.append(s.fork())))
        two = forks[0]
        two.hvc(imm=0x100, handler=lambda cpu: hv.STOP)

        def write_two():
            two.cpu[0].reset(0x4008_0000)
            two.cpu[0].x[1], two.cpu[0].x[2] = 0x4020_0000, 100
            two.run()

        first = spent(write_two)
        report("fork_first_write", (first - spent(write_two)) / 100)
        for fork in forks:
            fork.close()


def fuzzing():
    """A round of a guest that writes 20 pages, besides what it executes itself, and an input of 16 to 64 bytes."""
    with hv.VM("bench", "64M") as vm:
        vm.memory[0x4008_0000 : 0x4008_0000 + len(WRITES)] = WRITES
        cpu = vm.cpu[0]
        cpu.reset(0x4008_0000)
        cpu.x[1], cpu.x[2] = 0x4020_0000, 20
        with vm.fuzz(None, put=0x4030_0000, until=(0x4008_0010,), cover=None, max=64) as fz:
            fz.add(bytes(16))
            fz.run(200)
            so_far = el2_instructions()
            fz.run(1000)
            report("fuzz_round", so_far() / 1000)


def traces():
    bare = count("hvc_psci_version")
    report("trace_event", count("hvc_psci_version", lambda vm: vm.trace("psci")) - bare)
    report("trace_not", count("hvc_psci_version", lambda vm: vm.trace("mmio:pl011")) - bare)
    report("trace_count", count("hvc_psci_version", lambda vm: vm.count("psci", "x0")) - bare)


# Loops: EL2's instructions for each iteration, in each kind of code.


def loop_bytecode(n):
    total = 0
    for i in range(n):
        total += i ^ 5
    return total


@micropython.native
def loop_native(n):
    total = 0
    for i in range(n):
        total += i ^ 5
    return total


@micropython.viper
def loop_viper(n: int) -> int:
    total = 0
    for i in range(n):
        total += i ^ 5
    return total


def loops():
    for name, loop in (
        ("bytecode", loop_bytecode),
        ("native", loop_native),
        ("viper", loop_viper),
    ):
        so_far = el2_instructions()
        loop(100)
        few = so_far()
        so_far = el2_instructions()
        loop(10_100)
        report("loop_" + name, (so_far() - few) / 10_000)


# str x0, [x1]; add x1, x1, #0x10, lsl #12; subs x2, x2, #1; b.ne .-12; hvc #0x100
TOUCHES = b"\x20\0\0\xf9\x21\x40\x40\x91\x42\x04\0\xf1\xa1\xff\xff\x54\x02\x20\0\xd4"


def touch(caches):
    """A granule of RAM, 64 KB, that a guest touches first: EL2's instructions."""
    with hv.VM("bench", "16M") as vm:
        vm.memory[0x4008_0000 : 0x4008_0000 + len(TOUCHES)] = TOUCHES
        vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
        spent = []
        for at in 0x4008_1000, 0x4020_0000:  # what is there already; what is not
            vm.cpu[0].reset(0x4008_0000)
            if caches:
                vm.cpu[0].sysreg["SCTLR_EL1"] |= 1 << 2 | 1 << 12
            vm.cpu[0].x[1], vm.cpu[0].x[2] = at, 100 if spent else 1
            so_far = el2_instructions()
            vm.run()
            spent.append(so_far())
        return (spent[1] - spent[0]) / 100


def ram():
    report("ram_granule", touch(False))
    report("ram_granule_cached", touch(True))


def gic():
    report("gicd_typer_read", count("gicd_typer_read"))
    report("gicd_isenabler_read", count("gicd_isenabler_read"))
    report("gicd_isenabler_write", count("gicd_isenabler_write"))
    report("timer_expiry", count("timer_expiry"))
    report("timer_wakes", count("timer_wakes"))
    report("sgi_to_self", count("sgi_to_self"))


def heap(row, prepare):
    """Bytes that the GC heap has grown by for each exit."""
    with hv.VM("bench", "16M") as vm:
        loaded = vm.load("/rom/bench.elf")
        prepare(vm)
        vm.cpu[0].reset(loaded.entry, vm.symbol(row))
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        vm.run()
        grown = gc.mem_alloc() - before
        gc.enable()
    return grown / 3000  # it does 1000 in each of three tries


def allocation():
    rest = heap("hundred_nops", lambda vm: None)
    report("heap_hvc_python", heap("hvc_add", add) - rest)
    report("heap_hvc_python_calls", heap("hvc_add", calls) - rest)
    report("heap_mmio_load_python", heap("mmio_load", device) - rest)
    report("heap_mmio_store_python", heap("mmio_store", device) - rest)
    report("heap_sysreg_python", heap("sysreg_write", actlr) - rest)


# ---- The scheduler ------------------------------------------------------------------------------


def el2_instructions():
    """A function that returns how many EL2 has executed since: the PMU's event 8, for EL2 alone."""
    from hv.regs import PMCNTENSET_EL0, PMCR_EL0, PMEVCNTR0_EL0, PMEVTYPER0_EL0

    PMEVTYPER0_EL0.write(0x08 | 1 << 31 | 1 << 30 | 1 << 27)  # not EL1, not EL0, but EL2
    PMCNTENSET_EL0.write(1)
    PMCR_EL0.write(1)
    start = PMEVCNTR0_EL0.read()
    return lambda: (PMEVCNTR0_EL0.read() - start) & 0xFFFF_FFFF


def slices(vms):
    """EL2's instructions for each slice of `vms` guests that spin in the background, for a second."""
    running = []
    for n in range(vms):
        vm = hv.VM(f"spin{n}", "4M")
        vm.memory[0x4008_0000:0x4008_0004] = b"\0\0\0\x14"  # b .
        vm.cpu[0].reset(0x4008_0000)
        vm.start()
        running.append(vm)
    time.sleep_ms(100)
    so_far = el2_instructions()
    time.sleep_ms(1000)
    each = so_far() / 100
    for vm in running:
        vm.close()
    return each


def switch():
    report("vcpu_slice", slices(1))
    report("vcpu_switch", slices(2))


# ---- Growth -------------------------------------------------------------------------------------


def many_calls(n):
    def prepare(vm):
        for i in range(1, n):
            vm.hvc(ADD + i, handler=lambda cpu: 0)
        add(vm)

    return count("hvc_add", prepare)


def many_ranges(n):
    # Two of them by turns, so that each access has to be looked up.
    def prepare(vm):
        for i in range(1, n):
            vm.mmio(DEVICE + 0x1000 * i, 0x1000, lambda cpu, offset, value: 0x600D)
        device(vm)

    return count("mmio_load_by_turns", prepare) / 2


def many_mappings(n):
    def prepare(vm):
        base = vm.memory.base
        for i in range(n):
            vm.stage2.map(0x1_0000_0000 + i * 0x2000, base, 0x1000, "r", unsafe=True)
        device(vm)

    return count("mmio_load", prepare)


def many_vms(n):
    others = [hv.VM(f"other{i}", "4M") for i in range(1, n)]
    try:
        return count("hvc_add", add)
    finally:
        for vm in others:
            vm.close()


def many_vcpus(n):
    # A VM has 8 at most; 16 are two of those.
    other = hv.VM("other", "4M", n - 8) if n > 8 else None
    try:
        return count("hvc_add", add, cpus=min(n, 8))
    finally:
        if other:
            other.close()


def grow(name, *steps):
    for n in steps:
        report(f"{name}:{n}", globals()[name](n))


# ---- Wall clock ---------------------------------------------------------------------------------


def wall():
    """Exits a second, of this machine and this minute: 3 times 1000 and the loops around them."""
    for row, prepare in (("hvc_psci_version", None), ("hvc_add", add), ("mmio_load", device)):
        with hv.VM("bench", "16M") as vm:
            loaded = vm.load("/rom/bench.elf")
            if prepare:
                prepare(vm)
            vm.cpu[0].reset(loaded.entry, vm.symbol(row))
            start = time.ticks_us()
            vm.run()
            report(f"wall_{row}", 3000e6 / max(1, time.ticks_diff(time.ticks_us(), start)))


def run(*groups):
    for group in groups:
        try:
            globals()[group]()
        except Exception as error:
            print(f"\n! {group} {error!r}")
