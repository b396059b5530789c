# SPDX-License-Identifier: MIT
"""Runs on the target, from /rom: what one exit costs. Prints lines "@ row instructions"."""

import gc

import hv

ADD = 0xC600_0001
DEVICE = 0x0B00_0000


def count(row, prepare=None, ram="16M", cpus=1):
    """Instructions for each time, as the guest's function `row` counts them."""
    with hv.VM("bench", ram, cpus) as vm:
        loaded = vm.load("/rom/bench.elf")
        if prepare:
            prepare(vm)
        cpu = vm.cpu[0]
        cpu.reset(loaded.entry, vm.symbol(row))
        exit = vm.run()
        if exit.reason != "off":
            raise RuntimeError(f"{row} ended by {exit!r}")
        return cpu.x[1] / cpu.x[2]


def report(name, value):
    print(f"\n@ {name} {value:.2f}")


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
        def access(self, cpu, offset, value):
            return 5

    vm.mmio(DEVICE, 0x1000, Device().access)


def rule(kind, key, action):
    return lambda vm: vm.rule(kind, key, action, value=5)


def rules():
    report("rule_hvc_const", count("hvc_add", rule("hvc", ADD, "const")))
    report("rule_hvc_count", count("hvc_psci_version", rule("hvc", 0x8400_0000, "count")))
    report("rule_mmio_const", count("mmio_load", rule("mmio", (DEVICE, 16), "const")))
    report("rule_mmio_shadow", count("mmio_store", rule("mmio", (DEVICE, 16), "shadow")))
    report("rule_sysreg_const", count("sysreg_read", rule("sysreg", "ACTLR_EL1", "const")))
    report("rule_sysreg_count", count("sysreg_read", rule("sysreg", "ACTLR_EL1", "count")))


def native():
    report("hundred_nops", count("hundred_nops"))
    report("hvc_psci_version", count("hvc_psci_version"))
    report("smc_psci_version", count("smc_psci_version"))
    report("sysreg_native", count("sysreg_write"))
    report("pl011_out", count("pl011_out"))
    report("pl011_flags", count("pl011_flags"))


def python():
    report("hvc_python", count("hvc_add", add))
    report("hvc_imm_python", count("hvc_imm", imm))
    report("mmio_load_python", count("mmio_load", device))
    report("mmio_load_late_python", count("mmio_load_late", device))
    report("mmio_load_post_python", count("mmio_load_post", device))
    report("mmio_store_python", count("mmio_store", device))
    report("mmio_load_method", count("mmio_load", bound))
    report("sysreg_write_python", count("sysreg_write", actlr))
    report("sysreg_read_python", count("sysreg_read", actlr))


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
    report("heap_mmio_load_python", heap("mmio_load", device) - rest)
    report("heap_mmio_store_python", heap("mmio_store", device) - rest)
    report("heap_sysreg_python", heap("sysreg_write", actlr) - rest)


def run(*groups):
    for group in groups:
        try:
            globals()[group]()
        except Exception as error:
            print(f"\n! {group} {error!r}")
