# SPDX-License-Identifier: MIT
"""make bench: what things cost, in instructions, against the budgets and the last committed run.

    python3 tools/bench.py              everything
    python3 tools/bench.py --quick      without the rows that boot Linux or need more packages
    python3 tools/bench.py --update     and this run becomes the last committed one
    python3 tools/bench.py exits boot   these groups alone

Ends with status 1 when a row is over its budget, has become more than 3 % dearer than in the last
committed run (tests/bench/last.json), or could not be measured. build/bench.json has the numbers,
build/bench-growth.svg the growth table as a picture. docs/benchmarks.md says what each row is, and
has the last committed run.
"""

import argparse
import contextlib
import gzip
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]

import image_bytes  # noqa: E402
from guestcode import assemble  # noqa: E402
from guestcode import run as guest_run  # noqa: E402
from harness import MPY_TOP, Target  # noqa: E402
from machine_tree import tree_without_gicv  # noqa: E402
from virtiodriver import CODE as DRIVEN  # noqa: E402
from virtiodriver import SCRIPT as DRIVER  # noqa: E402

BENCH = ROOT / "tests/bench"
BUILD = ROOT / "build/bench"
LAST = BENCH / "last.json"
PAGE = ROOT / "docs/benchmarks.md"
SLACK = 1.03  # a row may become this much dearer
IMAGE_BYTES = 917_504

# Peers: KVM of Linux 6.1, Xen 4.17, Bao (of 2026), on the same QEMU and CPU, by the same loops.
Row = namedtuple("Row", "group name title budget peers guard", defaults=(None, "", True))
LADDER = (
    ("true", "True", 200),
    ("negative", "-x2", 200),
    ("divide", "x1 // x2", 200),
    ("modulo", "x1 % x2", 200),
    ("global", "n += 1, global", 200),
    ("skip", "hv.SKIP", 200),
    ("tuple_item", "tuple[x2]", 200),
    ("dict_item", "dict[x2]", 200),
    ("bytes_item", "bytearray[x2]", 200),
    ("array_item", "array[x2]", 200),
    ("in_tuple", "x2 in (1, 2, 3)", 200),
    ("list_step", "list[x2] += 1", 200),
    ("dict_step", "dict[x2] += 1", 240),
    ("bytes_step", "bytearray[x2] += 1", 220),
    ("array_step", "array[x2] += 1", 240),
    ("x_load", "cpu.x[5]", 200),
    ("x_store", "cpu.x[5] = 1", 200),
    ("large_result", "1 << 63", 150),
    ("large_sum", "x1 + 0xffff << 48", 190),
    ("large_argument", "x3 & 0xff, x3 = -1", 190),
    ("large_shift", "x3 >> 32, x3 = -1", 190),
    ("function", "function(x1)", 300),
    ("method", "object.method(x1)", 410),
)
ROWS = [
    Row("exits", "hvc_psci_version", "HVC PSCI_VERSION, native", 50, "KVM 1466, Xen 471, Bao 189"),
    Row("exits", "smc_psci_version", "SMC PSCI_VERSION, native"),
    Row("exits", "hvc_psci_features", "HVC PSCI_FEATURES, native", 60),
    Row("exits", "hvc_affinity_info", "HVC AFFINITY_INFO, native", 60),
    Row("exits", "hvc_unknown", "HVC, unknown: NOT_SUPPORTED", 62),
    Row("exits", "hvc_python", "HVC: Python, x1 + x2", 110, "none; Bao in C 189"),
    Row("exits", "hvc_imm_python", "HVC #7: Python"),
    Row("exits", "hvc_python_calls", "HVC: Python, max(x1, x2)", 600, "2,883 before"),
    Row("exits", "hvc_python_triple", "HVC: Python, a triple, the 5,000th", 900, "21,729 before"),
    Row(
        "exits", "hvc_python_exit", "HVC: Python, cpu.exit.esr, the 5,000th", 160, "31,675 before"
    ),
    Row("exits", "hvc_viper", "HVC: viper, x1 + x2", 66, "none"),
    Row("exits", "hvc_viper_loop", "HVC: viper, ten times round a loop", 250, "none"),
    Row("exits", "hvc_native", "HVC: native, x1 + x2", 125, "none"),
    Row("exits", "hvc_native_loop", "HVC: native, ten times round a loop"),
    Row("exits", "hvc_bytecode_loop", "HVC: Python, ten times round a loop", 1400, "3,351 before"),
    Row("exits", "mmio_load_viper", "load: viper", 200),
    Row("exits", "mmio_store_viper", "store: viper", 200),
    Row("exits", "mmio_load_native", "load: native", 300),
    Row("exits", "mmio_store_native", "store: native", 300),
    Row("exits", "sysreg_write_viper", "MSR: viper", 140),
    Row("exits", "sysreg_read_viper", "MRS: viper", 140),
    Row("exits", "loop_bytecode", "a loop, an iteration: bytecode"),
    Row("exits", "loop_native", "a loop, an iteration: native", 162, "(half of bytecode's)"),
    Row("exits", "loop_viper", "a loop, an iteration: viper", 21, "(a 15th of bytecode's)"),
    *(
        Row("exits", "ladder_" + name, "HVC: Python, " + title, budget)
        for name, title, budget in LADDER
    ),
    Row("exits", "ladder_device_load", "load: class of five registers", 230),
    Row("exits", "ladder_device_store", "store: class of five registers", 260),
    Row("exits", "ladder_device_methods", "load: self.rd(offset)", 450),
    Row("exits", "rule_hvc_const", "rule: HVC, constant", 90, "none"),
    Row("exits", "rule_hvc_count", "rule: HVC, counted", 90, "none"),
    Row("exits", "rule_mmio_const", "rule: load, constant", 90, "none"),
    Row("exits", "rule_sysreg_const", "rule: MRS, constant", 90, "none"),
    Row("exits", "rule_hvc_log", "rule: HVC, logged", 120, "391 before"),
    Row("exits", "rule_mmio_shadow", "rule: store, shadow", 90),
    Row("exits", "mmio_load_python", "load: Python", 160, "KVM's user exit 5554"),
    Row("exits", "mmio_store_python", "store: Python", 145, "KVM's user exit 5554"),
    Row("exits", "mmio_load_method", "load: a method that counts", 300),
    Row("exits", "mmio_load_late_python", "load into x20: Python", 260),
    Row("exits", "mmio_load_post_python", "post-indexed load: Python"),
    Row("exits", "break_counted", "breakpoint at a NOP, counted", 90),
    Row("exits", "break_python", "breakpoint: Python, a counting method", 300),
    Row("exits", "break_store", "breakpoint at a store, counted", 610, "600 asked"),
    Row("exits", "break_system", "breakpoint, stepped over, counted", 600, "by hand 11,500"),
    Row("exits", "step_function", "a step: a Python function", 250, "by hand 1,309"),
    Row("exits", "step_python", "a step: Python, a counting method", 310),
    Row("exits", "watch_neighbour", "watch: a store beside it", 250, "by hand 29,932"),
    Row("exits", "watch_hit_counted", "watch: a store to it, counted"),
    Row("exits", "watch_hit_python", "watch: a store to it, Python", 800, "by hand 3,128"),
    Row("exits", "snapshot_take", "snapshot: 64 MB, 100 pages written", 50_000),
    Row(
        "exits", "snapshot_first_write", "snapshot: first write of a page", 1200, "by hand 12,300"
    ),
    Row("exits", "snapshot_write_again", "snapshot: the same after going back", 500),
    Row("exits", "snapshot_back", "snapshot: back, 100 pages", 100_000, "QEMU's loadvm 61 ms"),
    Row("exits", "snapshot_fork", "fork: 64 MB, 100 pages written"),
    Row("exits", "fork_first_write", "fork: first write of a page"),
    Row("exits", "fuzz_round", "fuzzing: a round of 20 dirty pages", 30_000, "M3 36 us, 44 pages"),
    Row("exits", "watch_hard_neighbour", "in a debug register: a store beside it", 2),
    Row("exits", "watch_hard_hit", "in a debug register: to it, Python", 800),
    Row("exits", "trace_event", "a trace, besides: an event", 60),
    Row("exits", "trace_not", "a trace, besides: what it is not of"),
    Row("exits", "trace_count", "a count by x0, besides"),
    Row("exits", "sysreg_write_python", "MSR: Python", 500),
    Row("exits", "sysreg_read_python", "MRS: Python", 500),
    Row("exits", "sysreg_native", "MSR, native"),
    Row("exits", "disk_request", "a request to a virtio disk, 512 bytes", 10_000, "22,900 before"),
    Row("exits", "disk_page", "4 KB", 11_000, "34,600 before, and rising"),
    Row("exits", "disk_page_32", "4 KB, 32 a kick", 8_800),
    Row("exits", "disk_page_indirect", "the same, indirect, event index", 9_000),
    Row("exits", "network", "a frame from a NIC to another, a byte", 7.2, "18 before"),
    Row("exits", "console_virtio", "a line out of a virtio console, a byte", 95, "256 before"),
    *(
        Row("kicks", f"kick_{n}", f"4 cores: a disk's answer to vCPU {n}", 11_500)
        for n in range(4)
    ),
    Row("exits", "ram_granule", "first touch of a granule of RAM, 64 KB", 4050, "8,200 before"),
    Row("exits", "ram_granule_cached", "the same, the guest's caches on", 4050),
    Row("exits", "gicd_typer_read", "GICD_TYPER load", 110, "KVM 2166, Xen 599, Bao 225"),
    Row("exits", "gicd_isenabler_read", "GICD_ISENABLER load", 150, "Xen 676, Bao 1290"),
    Row(
        *("exits", "gicd_isenabler_write", "GICD_ISENABLER store", 200),
        "KVM 4353, Xen 740, Bao 3563",
    ),
    Row("exits", "pl011_out", "PL011 character out", 150, "KVM's user exits 15,000-22,000"),
    Row("exits", "pl011_flags", "PL011 flags load"),
    Row(
        *("exits", "timer_expiry", "virtual timer to vector, GICv2", 120),
        "KVM 2624, Xen 1083, Bao 200",
    ),
    Row("exits", "timer_expiry_v3", "virtual timer to vector, GICv3", 120),
    Row("exits", "timer_expiry_soft", "virtual timer to vector, no GICV"),
    Row("exits", "timer_wakes", "virtual timer ends a WFI", 900, "1,393 before"),
    Row("exits", "sgi_to_self", "SGI to self, GICv2", 250, "KVM 3384, Xen 1097, Bao 776"),
    Row("exits", "sgi_to_self_v3", "SGI to self, GICv3", 250),
    Row("exits", "sgi_to_self_soft", "SGI to self, no GICV"),
    Row("cores", "sgi_to_core", "SGI to another core, both EL2s, GICv2", 250, "see docs"),
    Row("cores", "sgi_to_core_v3", "SGI to another core, both EL2s, GICv3", 250),
    Row("exits", "heap_python", "GC bytes an exit: Python", 0, "none"),
    Row("switch", "vcpu_slice", "time slice, one VM", 300, "778 before"),
    Row(
        "switch",
        "vcpu_switch",
        "time slice and switch, two VMs",
        910,
        "1,228 before; goal 900",
    ),
    Row("boot", "reset_to_prompt", "reset to >>>", 150_000, "Bao 337,337 (no Python), Xen 17 M"),
    Row(
        *("boot", "reset_to_guest", "reset to guest, frozen main.py", 200_000),
        "Bao 337,337, Xen 17 M",
    ),
    Row("boot", "import_hv", "import hv, at the prompt", 50_000),
    Row("boot", "vm_life_first", "VM made, run to SYSTEM_OFF, closed"),
    Row("boot", "vm_life", "the same again", 60_000),
    Row("memory", "memory_find", "vm.memory.find, a byte", 2, "7.1 before"),
    Row("memory", "memory_slice", "a slice of vm.memory, a byte", 1),
    Row("memory", "gc_empty", "collection: an empty heap of 32 MB", 20_000, "32,000 before"),
    Row("memory", "gc_lists", "10 MB of lists, million", 22.5, "62.9 before"),
    Row("memory", "gc_long", "one list of 8 MB, million", 5, "15.0 before"),
    Row("memory", "gc_texts", "100,000 texts, million", 14, "41.0 before"),
    Row("memory", "gc_bytes", "28 MB of bytearrays, million", 20, "117 before"),
    Row("memory", "alloc_big", "a bytearray of 8 KB on top of those", 8000, "99,000 before"),
    Row("memory", "gc_line", "a line, 32 MB full of lists, million", 20, "72.6 before"),
    Row("disk", "disk_load", "/disk to guest RAM, a byte", 3),
    Row("linux", "linux_quiet", "Linux 6.1 boot, quiet / native", 1.01, "KVM 1.03"),
    Row("linux", "linux_verbose", "Linux 6.1 boot, verbose / native", 1.05, "KVM 1.26"),
    Row("files", "linux_snapshot", "snapshot: idle Linux, 256 MB, thousand", 200),
    Row("files", "linux_fork", "fork: the same, thousand"),
    Row("files", "linux_fork_memory", "its memory, KB"),
    Row("files", "file_save", "a Linux of 256 MB to a file, million", 1200),
    Row("files", "file_load", "and back out of it, million", 800, "QEMU's loadvm 61 ms"),
    Row("files", "file_core", "its ELF core, million", 2500),
    Row("perf", "perf_bench", "perf_bench / unix port on Linux, mean", 1.0, "1"),
    Row("emit", "perf_native", "perf_bench, native / bytecode, mean"),
    Row("size", "image_bytes", "image, bytes", IMAGE_BYTES, "Bao 94 KB, Xen 983 KB", False),
]
# What silicon.c counts of a path, in the order of its columns.
KINDS = (
    *(
        "instructions",
        "loads",
        "stores",
        "device accesses",
        "system registers",
        "barriers",
        "TLBIs",
    ),
    *("indirect jumps", "lines of code", "lines of data"),
)
# Name, title, and budgets of barriers and device accesses, on GICv2 and on GICv3.
SILICON = (
    ("hvc_psci_version", "HVC PSCI_VERSION, native", (0, 0), (0, 0)),
    ("hvc_python", "HVC: Python, x1 + x2", (0, 0), (0, 0)),
    ("hvc_python_calls", "HVC: Python, max(x1, x2)", (0, 0), (0, 0)),
    ("mmio_load_python", "load: Python", (0, 0), (0, 0)),
    ("gicd_typer_read", "GICD_TYPER load", (0, 0), (0, 0)),
    ("timer_expiry", "virtual timer to vector", (0, 3), (1, 0)),
    ("timer_wakes", "WFI and virtual timer, a round", (8, 6), (9, 0)),
    ("sgi_to_self", "SGI to self", (0, 2), (0, 0)),
    ("vcpu_switch", "slice and switch", (12, 10), (12, 0)),
)
SILICON_GROUPS = ("native", "python", "gic", "rules", "compiled", "watches", "breaks")
# Of the other exits, on GICv2, which have neither: those that have, with their budgets.
SILICON_ALLOWED = {
    "hvc_python_triple": (1, 0),
    "mmio_load_post_python": (6, 0),
    "break_counted": (1, 0),
    "break_python": (1, 0),
    "break_store": (5, 0),
    "break_system": (7, 0),
    "watch_neighbour": (5, 0),
    "watch_hit_counted": (5, 0),
    "watch_hit_python": (5, 0),
    "watch_hard_hit": (6, 0),
    "pl011_out": (0, 2),
}
QUICK = ("exits", "cores", "switch", "boot", "memory", "size", "growth", "kicks")
FULL = (*QUICK, "silicon", "disk", "linux", "files", "perf", "emit", "wall")

# What grows, on the target's rows.py: its name there, and how far.
GROWTH = {
    "many_calls": ("handlers of calls", (1, 10, 100, 1000)),
    "many_ranges": ("MMIO ranges", (2, 10, 100, 1000)),
    "many_mappings": ("stage-2 mappings", (1, 10, 100, 1000, 10_000, 100_000)),
    "many_vms": ("VMs", (1, 2, 4, 8, 16)),
    "many_vcpus": ("vCPUs", (1, 2, 4, 8, 16)),
}
GROWS_BY = 2  # at most, from the first step to the last: flat, or a logarithm


def tool(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def rom():
    """The ROMFS with the guest and what runs on the target."""
    folder = BUILD / "rom"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "build/guests/bench.elf", folder)
    for name in "rows.py", "ladder.py", "disk.py":
        shutil.copy(BENCH / name, folder)
    for name in "block", "kick":
        (folder / f"{name}.bin").write_bytes(assemble((BENCH / f"{name}.S").read_text()))
    image = BUILD / "rom.romfs"
    tool(sys.executable, "-m", "mpremote", "romfs", "--no-mpy", "--output", image, "build", folder)
    return image


def plugin(name="count"):
    made = BUILD / f"lib{name}.so"
    tool("cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", made, BENCH / f"{name}.c")
    return made


@contextlib.contextmanager
def machine(kernel="hypervisor.bin", args=(), icount=True, **options):
    target = Target(kernel=str(kernel), icount=icount, args=[*map(str, args)], **options)
    try:
        yield target.boot(60)
    finally:
        target.close()


def read(said, into):
    """The lines "@ row number" of what a target printed."""
    for line in said.replace("\r", "").split("\n"):
        if line.startswith("@ "):
            _, name, value = line.split()
            into[name] = float(value)
        elif line.startswith("! "):
            print("bench:", line[2:], file=sys.stderr)


def rows(calls, into, seconds=240, args=(), **options):
    with machine(args=["-initrd", rom(), *args], **options) as target:
        read(target.exec(f"import rows\n{calls}", seconds), into)


def counted(marks=(), regions=(), run=None, seconds=600, **options):
    """Instructions by the plugin, of a machine that ends when `run(target)` has returned, or has
    reached a mark: {"total": [n], "mark": [...], "region": [...]}.
    """
    with tempfile.TemporaryDirectory(prefix="elapid-") as folder:
        out = Path(folder) / "counts"
        words = [f"{plugin()}", f"out={out}"]
        words += [f"mark={mark:#x}" for mark in marks]
        words += [f"region={low:#x}-{high:#x}" for low, high in regions]
        args = [*options.pop("args", ()), "-plugin", ",".join(words)]
        target = Target(icount=True, args=[*map(str, args)], **options).start()
        try:
            if run:
                run(target)
            deadline = time.monotonic() + seconds
            while marks and not out.exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            target.qemu.terminate()
            target.qemu.wait(60)  # it writes the counts
            said = target.console.strip() or "nothing"
        finally:
            target.close()
        found = {}
        for line in out.read_text().splitlines():
            kind, value = line.split()
            found.setdefault(kind, []).append(int(value))
        if 0 in found.get("mark", ()):
            names = ", ".join(map(hex, marks))
            raise SystemExit(f"bench: not all reached of {names}; the machine said:\n{said}")
        return found


def symbol(image, name):
    for line in tool("aarch64-linux-gnu-nm", image).splitlines():
        if line.endswith(f" {name}"):
            return int(line.split()[0], 16)
    raise SystemExit(f"bench: no {name} in {image}")


# ---- Groups -------------------------------------------------------------------------------------


def exits(found):
    rows(
        "rows.run('native', 'rules', 'python', 'compiled', 'watches', 'breaks', 'loops', 'gic', 'allocation', 'traces')",
        found,
    )
    rows("import ladder\nladder.run(rows)", found)
    rows("import disk\ndisk.run()\nrows.run('ram')", found)
    with machine(args=["-initrd", rom()]) as target:
        wires = f"{DRIVER}import rows\nvm = guest(code)\n{(BENCH / 'wires.py').read_text()}"
        read(guest_run(target, DRIVEN, wires, 120), found)
    found["heap_python"] = max(v for k, v in found.items() if k.startswith("heap_"))
    other = {}
    rows("rows.run('snapshots', 'fuzzing')", found, mem="256M")
    rows("rows.run('gic')", other, gic=3)
    found.update({name + "_v3": value for name, value in other.items()})
    soft = {}
    rows("rows.run('gic')", soft, gic=2, args=["-dtb", tree_without_gicv(BUILD)])
    found.update({name + "_soft": value for name, value in soft.items()})


def cores(found):
    """An SGI from a vCPU on core 0 to one on core 1: what EL2 does for it, on both cores."""
    both = "sgi_to_second_cpu", "sgi_to_second_cpu_empty"
    for name, gic in ("sgi_to_core", 2), ("sgi_to_core_v3", 3):
        count = {}
        for which, row in enumerate(both):

            def run(target, which=which):
                target.wait_prompt(60)
                script = f"import rows\nboth = {both}\n"
                target.exec(f"{script}rows.count(both[{which}], cpus=2, both=both)", 120)

            args = ["-initrd", rom()]
            el2 = [(0x4020_0000, 0x4040_0000)]
            options = {"kernel": "hypervisor.bin", "smp": 2, "gic": gic, "args": args}
            count[row] = counted(regions=el2, run=run, **options)["region"][0]
        most, least = count.values()
        found[name] = (most - least) / 1000


def kicks(found):
    """On four cores: what EL2 does on all of them for a disk's answer to each vCPU."""
    for vcpu in range(4):
        spent = []
        for requests in 100, 300:

            def run(target, vcpu=vcpu, requests=requests):
                target.wait_prompt(60)
                target.exec(f"import disk\ndisk.kicks({vcpu}, {requests})", 120)

            el2 = [(0x4020_0000, 0x4040_0000)]
            options = {"kernel": "hypervisor.bin", "smp": 4, "args": ["-initrd", rom()]}
            spent.append(counted(regions=el2, run=run, **options)["region"][0])
        found[f"kick_{vcpu}"] = (spent[1] - spent[0]) / 200


def switch(found):
    rows("rows.run('switch')", found)


def laps(call, many, gic, *symbols, said=None):
    """Numbers of each lap of a target that calls this: (symbol, those between it and the one before)."""
    marks = {symbol(ROOT / "hypervisor.elf", name): name for name in symbols}
    with tempfile.TemporaryDirectory(prefix="elapid-") as folder:
        out = Path(folder) / "laps"
        words = [
            f"{plugin('silicon')}",
            f"out={out}",
            "region=0x40200000-0x48000000",
            f"many={many}",
        ]
        words += [f"lap={mark:#x}" for mark in marks]
        rows(call, {} if said is None else said, 600, ["-plugin", ",".join(words)], gic=gic)
        lines = [[int(word, 0) for word in line.split()] for line in out.read_text().splitlines()]
    return [(marks[at], numbers) for at, *numbers in lines]


def silicon(found):
    """What takes time on silicon: silicon.c, between the beginning of a vm.run() and its end."""
    *_, (switch, *_) = SILICON
    for gic in 2, 3:
        call = f"rows.run{SILICON_GROUPS[: 7 if gic == 2 else 3]}\n"
        call += "import ladder\nladder.run(rows)\n" if gic == 2 else ""
        run_of = {}
        ran = laps(call + "rows.tell_runs()", 500, gic, "vm_run", "vtimer_stopped", said=run_of)
        # of a vm.run(): not of a step
        runs = [
            n for (a, _), (b, n) in zip(ran, ran[1:]) if (a, b) == ("vm_run", "vtimer_stopped")
        ]
        for name, number in run_of.items():
            if name.startswith("run:"):
                name, numbers = name[4:], runs[int(number) - 1]
                times = 1008 if name.startswith(("timer_", "sgi_")) else 3000
                per = [n / times for n in numbers[:-2]] + numbers[-2:]
                found.update({f"silicon:{name}:{gic}:{k}": n for k, n in zip(KINDS, per)})
        turns = [n for _, n in laps("rows.slices(2)", 1, gic, "vcpu_load")][60:100]
        for k, column in zip(KINDS, zip(*turns)):
            found[f"silicon:{switch}:{gic}:{k}"] = sum(column) / len(turns)


def with_main():
    """An image like the built one, with tests/bench/launch/main.py frozen in: its path."""
    made = ROOT / "build/bench-launch"
    shutil.rmtree(made, ignore_errors=True)
    tool("cp", "-a", ROOT / "build/QEMU_VIRT", made)
    tool(
        *("make", "-s", "-C", ROOT / "ports/aarch64", f"BUILD={made}", f"MPY_TOP={MPY_TOP}"),
        f"FROZEN_MANIFEST={BENCH / 'launch/manifest.py'}",
    )
    return made / "firmware.elf"


def boot(found):
    prompt = symbol(ROOT / "hypervisor.elf", "mp_hal_stdin_rx_chr")
    found["reset_to_prompt"] = counted(marks=[prompt])["mark"][0]
    found["reset_to_guest"] = counted(marks=[0x4008_0000], kernel=str(with_main()))["mark"][0]
    with machine(mem="256M") as target:
        read(target.exec(LIFE, 60), found)


LIFE = """
from time import ticks_cpu, ticks_diff
start = ticks_cpu()
import hv
print("@ import_hv", ticks_diff(ticks_cpu(), start) * 16)
def life():
    start = ticks_cpu()
    vm = hv.VM("first")
    # w0 = SYSTEM_OFF; hvc #0
    vm.memory[0x4008_0000:0x4008_000C] = b"\\x00\\x01\\x80\\x52\\x00\\x80\\xb0\\x72\\x02\\x00\\x00\\xd4"
    vm.cpu[0].reset(0x4008_0000)
    assert vm.run().reason == "off"
    vm.close()
    return ticks_diff(ticks_cpu(), start) * 16
print("@ vm_life_first", life())
print("@ vm_life", life())
"""


def size(found):
    found["image_bytes"] = (ROOT / "hypervisor.bin").stat().st_size


MEMORY = """
import gc, hv
from time import ticks_cpu, ticks_diff
vm = hv.VM("memory", ram="8M")
for at in range(vm.memory.base, vm.memory.base + vm.memory.size, 0x1_0000):
    vm.memory[at] = 1
def ticks(f, bytes_):
    f()
    gc.collect()
    start = ticks_cpu()
    f()
    return ticks_diff(ticks_cpu(), start) * 16 / bytes_
print("@ memory_find", ticks(lambda: vm.memory.find(b"none of it"), 8 << 20))
print("@ memory_slice", ticks(lambda: vm.memory[0x4010_0000:0x4020_0000], 1 << 20))
"""


def memory(found):
    """8 MB are searched for what is not there, and 1 MB is copied, on a heap that has been collected."""
    with machine() as target:
        read(target.exec(MEMORY, 60), found)
    with machine(mem="256M") as target:
        read(target.exec(HEAP, 60), found)
    with machine(mem="256M") as target:
        target.exec(FULL_HEAP, 60)
        read(target.exec("line()", 60), found)


# Up to some 130 KB; the line takes 230.
FULL_HEAP = """
import gc
from time import ticks_cpu, ticks_diff
kept = None
while gc.mem_alloc() < 33_000_000:
    for i in range(500):
        kept = [kept, [i]]
def line():
    start = ticks_cpu()
    for i in range(250):
        bytearray(900)
    print("@ gc_line", ticks_diff(ticks_cpu(), start) * 16 / 1_000_000)
gc.collect()
"""

HEAP = """
import gc
from time import ticks_cpu, ticks_diff
def ticks(f, *args):
    start = ticks_cpu()
    f(*args)
    return ticks_diff(ticks_cpu(), start) * 16
def collect(name, by=1_000_000):
    gc.collect()
    print("@", name, ticks(gc.collect) / by)
collect("gc_empty", 1)
kept = [[i] for i in range(160_000)]
collect("gc_lists")
kept = None
gc.collect()
kept = [None] * 1_000_000
collect("gc_long")
kept = None
gc.collect()
kept = [str(i) + "abc" for i in range(100_000)]
collect("gc_texts")
kept = None
gc.collect()
kept = [bytearray(4096) for i in range(7_000)]
collect("gc_bytes")
more = []
def big():
    for i in range(100):
        more.append(bytearray(8192))
print("@ alloc_big", ticks(big) / 100)
"""


DISK = """
import hv, time
vm = hv.VM("big", ram="64M")
vm.load("/disk/kernel")
start = time.ticks_cpu()
vm.load("/disk/kernel")
print("@ ticks", time.ticks_diff(time.ticks_cpu(), start))
"""


def disk(found):
    """A flat 30 MB binary from a FAT disk, into memory that the guest has."""
    folder = BUILD / "disk"
    folder.mkdir(parents=True, exist_ok=True)
    bytes_ = 30 << 20
    (folder / "kernel").write_bytes(b"\x1f\x20\x03\xd5" * (bytes_ // 4))
    args = ["-device", "virtio-blk-device,drive=disk"]
    args += ["-drive", f"if=none,id=disk,format=raw,readonly=on,file=fat:{folder}"]
    ticks = {}
    with machine(args=args, mem="256M") as target:
        read(target.exec(DISK, 120), ticks)
    found["disk_load"] = ticks["ticks"] * 16 / bytes_


LINUX = """
import hv, uctypes
vm = hv.VM("linux", ram="256M")
kernel, initrd = (memoryview(uctypes.bytearray_at(at, size)) for at, size in {blobs!r})
loaded = vm.linux(kernel, initrd=initrd, cmdline={cmdline!r})
tree = loaded.dtb
"""
MARKER = "bench-marker"
MARK = f"""#!/bin/busybox sh
/bin/busybox echo {MARKER}
/bin/busybox poweroff -f
"""


def given(*files):
    """Files in the machine's memory: where, and QEMU's arguments for that."""
    blobs, args = [], []
    for file in files:
        at = 0x7A00_0000 + 0x400_0000 * len(blobs)
        blobs.append((at, file.stat().st_size))
        args += ["-device", f"loader,file={file},addr={at:#x},force-raw=on"]
    return blobs, args


FILES = """
import time, machine, vfs, _hv
vfs.VfsFat.mkfs(machine.Disk())
vm.start()
said = b""
while b"/ # " not in said:
    said += vm.console.read() or b""
    time.sleep_ms(5)
vm.pause()
def count(row, f, *args, unit=1e6):
    begun = _hv.mrs("CNTPCT_EL0")
    f(*args)
    print(f"\\n@ {row} {(_hv.mrs('CNTPCT_EL0') - begun) * 16 / unit:.1f}")
vm.snapshot()
vm.start()
time.sleep_ms(100)
vm.pause()
count("linux_snapshot", vm.snapshot, unit=1e3)
s = vm.snapshot()
s.fork().close()
free = _hv.mem()[0]
forks = []
count("linux_fork", lambda: forks.append(s.fork()), unit=1e3)
print(f"\\n@ linux_fork_memory {(free - _hv.mem()[0]) // 1024}")
forks[0].close()
count("file_save", s.save, "/disk/a")
count("file_core", vm.core, "/disk/core")
vm.close()
count("file_load", hv.load, "/disk/a")
"""


def files(found):
    """Debian's kernel at its shell's prompt: saved, made a core of, and loaded."""
    tool(sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud")
    guest = ROOT / "build/guests-debian/6.1-cloud"
    blobs, args = given(guest / "vmlinuz", guest / "initrd.gz")
    with tempfile.TemporaryDirectory(prefix="elapid-") as folder:
        disk = Path(folder) / "disk.img"
        disk.write_bytes(b"")
        os.truncate(disk, 256 << 20)
        args += ["-device", "virtio-blk-device,drive=disk"]
        args += ["-drive", f"if=none,id=disk,format=raw,cache=unsafe,file={disk}"]
        with machine(args=args, mem="1G") as target:
            target.exec(LINUX.format(blobs=blobs, cmdline="console=ttyAMA0 quiet"), 120)
            read(target.exec(FILES, 900), found)


def linux(found):
    """Debian's kernel to the first words of a shell script, as our guest and on the bare machine
    with the same device tree.
    """
    import cpio

    tool(sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud")
    guest = ROOT / "build/guests-debian/6.1-cloud"
    initrd, tree = BUILD / "initrd.gz", BUILD / "linux.dtb"
    more = cpio.archive([cpio.file("mark", MARK.encode(), 0o755)])
    initrd.write_bytes((guest / "initrd.gz").read_bytes() + gzip.compress(more, mtime=0))
    blobs, args = given(guest / "vmlinuz", initrd)
    for name, more in ("linux_quiet", "quiet"), ("linux_verbose", "ignore_loglevel"):
        cmdline = f"console=ttyAMA0 rdinit=/mark {more}"
        script = LINUX.format(blobs=blobs, cmdline=cmdline)

        def load(target):
            target.wait_prompt(60)
            target.exec(script, 120)  # noqa: B023

        def run(target):
            load(target)
            target.exec("vm.run()", 600)
            assert MARKER in target.console, target.console[-2000:]

        def native(target):
            target.wait_off(600)

        options = {"mem": "1G", "args": args}
        ours = counted(run=run, **options)["total"][0] - counted(run=load, **options)["total"][0]
        with machine("hypervisor.elf", args, icount=False, mem="1G") as target:
            target.exec(script, 60)
            text = target.exec("print(bytes(vm.memory[tree : tree + 0x10000]).hex())", 60)
        data = bytes.fromhex(text.strip())
        tree.write_bytes(data[: int.from_bytes(data[4:8], "big")])
        bare = ["-append", cmdline, "-initrd", initrd, "-dtb", tree]
        theirs = counted(
            run=native, kernel=str(guest / "vmlinuz"), virtualization=False, mem="256M", args=bare
        )["total"][0]
        found[name] = ours / theirs
        found[name + "_native"] = theirs


def unix_port():
    """MicroPython for aarch64 Linux, from the same source: the path of a static program."""
    made = ROOT / "build/bench-unix"
    source = Path(os.environ.get("MICROPY_DIR") or ROOT / "build/micropython")
    without = ("PY_FFI", "PY_BTREE", "PY_SSL", "SSL_MBEDTLS", "SSL_AXTLS")
    tool(
        *("make", "-s", "-C", source / "ports/unix", f"BUILD={made}", "LDFLAGS_EXTRA=-static"),
        *("CROSS_COMPILE=aarch64-linux-gnu-", "FROZEN_MANIFEST="),
        *(f"MICROPY_{name}=0" for name in without),
        f"MICROPY_MPYCROSS={ROOT / 'build/mpy-cross/mpy-cross'}",
    )
    return made / "micropython"


def performance():
    """Upstream's benchmarks as {name: program}. What they print is "microseconds score result"."""
    source = Path(os.environ.get("MICROPY_DIR") or ROOT / "build/micropython")
    folder = source / "tests/perf_bench"
    run = (folder / "benchrun.py").read_text() + "\nbm_run(100, 100)\n"
    files = (file for file in sorted(folder.glob("*.py")) if file.stem != "benchrun")
    return {file.stem: file.read_text() + run for file in files}


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def emit(found):
    """The mean of what upstream's benchmarks take as native code against bytecode: of those whose code mpy-cross
    makes of one or the other.
    """
    programs = {
        n: text for n, text in performance().items() if not n.startswith(("core_import", "viper"))
    }
    shutil.rmtree(BUILD / "emit", ignore_errors=True)
    (BUILD / "emit").mkdir()
    for name, text in programs.items():
        for how in "bytecode", "native":
            file = BUILD / "emit" / f"{how}_{name}.py"
            file.write_text(text)
            tool(ROOT / "build/mpy-cross/mpy-cross", "-march=aarch64", "-X", f"emit={how}", file)
            file.unlink()
    image = BUILD / "emit.romfs"
    folder = ("build", BUILD / "emit")
    tool(sys.executable, "-m", "mpremote", "romfs", "--no-mpy", "--output", image, *folder)
    with machine(args=["-initrd", image]) as target:
        for name in programs:
            took = []
            for how in "native", "bytecode":
                target.soft_reset(60)
                took.append(int(target.exec(f"import {how}_{name}", 300).split()[0]))
            found[f"perf_native:{name}"] = took[0] / took[1]
    found["perf_native"] = mean([found[f"perf_native:{name}"] for name in programs])


def perf(found):
    """The mean of what upstream's benchmarks take here, in instructions, against Linux's EL0."""
    import cpio

    tool(sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud")
    guest, initrd = ROOT / "build/guests-debian/6.1-cloud", BUILD / "perf.gz"
    programs = performance()
    script = "#!/bin/busybox sh\n"
    script += "".join(f"echo; echo @ {name}; /mp /perf/{name}.py\n" for name in programs)
    files = [cpio.directory("perf"), cpio.file("mp", unix_port().read_bytes(), 0o755)]
    files += [cpio.file(f"perf/{name}.py", text.encode()) for name, text in programs.items()]
    files.append(cpio.file("mark", (script + "/bin/busybox poweroff -f\n").encode(), 0o755))
    more = gzip.compress(cpio.archive(files), mtime=0)
    initrd.write_bytes((guest / "initrd.gz").read_bytes() + more)
    bare = ["-append", "console=ttyAMA0 rdinit=/mark quiet", "-initrd", str(initrd)]
    options = {"icount": True, "virtualization": False, "mem": "256M", "args": bare}
    target = Target(kernel=str(guest / "vmlinuz"), **options).start()
    try:
        target.wait_off(900)
        said = target.console
    finally:
        target.close()
    theirs = dict(re.findall(r"@ (\w+)\n(\d+) ", said))
    ratios = {}
    with machine() as target:
        for name in programs.keys() & theirs.keys():
            target.soft_reset(60)
            ours = re.match(r"(\d+) ", target.exec(programs[name], 300))
            if ours:
                ratios[name] = int(ours[1]) / int(theirs[name])
    found["perf_bench"] = mean(ratios.values())
    found["perf_bench_rows"] = len(ratios)
    found.update({f"perf:{name}": ratio for name, ratio in ratios.items()})


def wall(found):
    rows("rows.run('wall')", found, icount=False)


def growth(found):
    calls = (f"rows.grow({name!r}, *{steps})" for name, (_, steps) in GROWTH.items())
    rows("\n".join(calls), found, mem="512M")


# ---- Reporting ----------------------------------------------------------------------------------


def number(value):
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{1 if value > 10 else 3}f}".rstrip("0").rstrip(".")


def verdict(row, now, last):
    if now is None:
        return "not measured"
    if row.budget is not None and now > row.budget * 1.0005:
        return "over budget"
    if row.guard and last is not None and now > last * SLACK + 0.5:
        return "dearer"
    return ""


def table(found, last, groups):
    """The rows of these groups as lines, and the titles of those that fail."""
    lines = [f"{'':38}{'now':>10}{'last':>10}{'budget':>10}  peers"]
    bad = []
    for row in ROWS:
        if row.group not in groups:
            continue
        now, before = found.get(row.name), last.get(row.name)
        mark = verdict(row, now, before)
        if mark:
            bad.append(f"{row.title}: {mark}")
        words = [row.peers, mark.upper() and f"<- {mark.upper()}"]
        numbers = "".join(f"{number(n):>10}" for n in (now, before, row.budget))
        lines.append(f"{row.title:38}{numbers}  {'  '.join(filter(None, words))}".rstrip())
    return lines, bad


def growth_table(found):
    bad = []
    lines = ["", "An exit to Python as these grow; of MMIO ranges, two are read by turns:"]
    for name, (title, steps) in GROWTH.items():
        values = [found.get(f"{name}:{n}") for n in steps]
        cells = (f"{n:,}: {number(v)}" for n, v in zip(steps, values))
        lines.append(f"  {title:20} {'   '.join(cells)}")
        if None in values or values[-1] > values[0] * GROWS_BY:
            bad.append(f"{title}: grows")
    return lines, bad


def silicon_table(found):
    bad, lines = [], ["", "What EL2 does for it; barriers and device accesses have budgets:"]
    heads = "instr loads stores devices sysregs barriers TLBIs indirect code data".split()
    lines.append(f"{'':33}GIC" + "".join(f"{head:>9}" for head in heads))
    for name, title, *budgets in SILICON:
        for gic, budget in zip((2, 3), budgets):
            of = {kind: found.get(f"silicon:{name}:{gic}:{kind}") for kind in KINDS}
            lines.append(f"{title:33}{gic:3}" + "".join(f"{number(n):>9}" for n in of.values()))
            for kind, most in zip(("barriers", "device accesses"), budget):
                if of[kind] is None or of[kind] > most + 0.5:
                    bad.append(f"{title}, GICv{gic}: {number(of[kind])} {kind}")
    for row in ROWS:
        of = {kind: found.get(f"silicon:{row.name}:2:{kind}") for kind in KINDS}
        if of["barriers"] is None or row.name in [name for name, *_ in SILICON]:
            continue
        lines.append(f"{row.title:34.34} 2" + "".join(f"{number(n):>9}" for n in of.values()))
        budget = SILICON_ALLOWED.get(row.name, (0, 0))
        for kind, most in zip(("barriers", "device accesses"), budget):
            if of[kind] > most + 0.5:
                bad.append(f"{row.title}: {number(of[kind])} {kind}")
    return lines, bad


def plot(found, path):
    """Instructions over how many there are; the horizontal axis is logarithmic."""
    width, height, left, top = 640, 360, 60, 30
    most = max(found[f"{name}:{n}"] for name, (_, steps) in GROWTH.items() for n in steps)
    high = math.ceil(most / 100) * 100

    def x(n):
        return left + math.log10(n) / 5 * (width - left - 130)

    def y(v):
        return top + (1 - v / high) * (height - top - 50)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="12" '
        'font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="18">Instructions of an exit that Python answers</text>',
    ]
    for n in range(6):
        at = x(10**n)
        parts.append(f'<path d="M{at:.0f} {top}V{y(0):.0f}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{at:.0f}" y="{y(0) + 18:.0f}" text-anchor="middle">{10**n:,}</text>'
        )
    for v in range(0, high + 1, 100):
        parts.append(f'<path d="M{left} {y(v):.0f}H{x(10**5):.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y(v) + 4:.0f}" text-anchor="end">{v}</text>')
    colours = ("#1b6ca8", "#c0392b", "#27864f", "#8e44ad", "#d68910")
    for k, ((name, (title, steps)), colour) in enumerate(zip(GROWTH.items(), colours)):
        points = [(x(n), y(found[f"{name}:{n}"])) for n in steps]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py in points
        ]
        at = top + 12 + 16 * k
        parts.append(f'<text x="{width - 120}" y="{at}" fill="{colour}">{title}</text>')
    path.write_text("\n".join([*parts, "</svg>", ""]))


def write_page(kept):
    """The last committed run into docs/benchmarks.md, without the column `last`."""
    rows = [line[:48] + line[58:] for line in table(kept, {}, FULL)[0]]
    before, mark, rest = PAGE.read_text().partition("```text\n")
    text = "\n".join([*rows, *silicon_table(kept)[0], *growth_table(kept)[0]])
    PAGE.write_text(f"{before}{mark}{text}\n{rest[rest.index('```') :]}")


def write_costs(found):
    """The figures that vm.why() names."""
    path = ROOT / "modules/hv/why.py"
    text = path.read_text()
    costs = re.search(r'COSTS = """(.*?)"""', text, re.DOTALL)[1]
    newer = re.sub(r"(\w+) \d+", lambda row: f"{row[1]} {round(found[row[1]])}", costs)
    path.write_text(text.replace(costs, newer))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("groups", nargs="*", metavar="group", help=", ".join(FULL))
    parser.add_argument("--quick", action="store_true", help="only " + ", ".join(QUICK))
    parser.add_argument("--update", action="store_true", help=f"write {LAST.relative_to(ROOT)}")
    options = parser.parse_args()
    groups = options.groups or (QUICK if options.quick else FULL)
    if unknown := set(groups) - set(FULL):
        parser.error(f"no group {', '.join(unknown)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    found = {}
    for group in groups:
        print(f"bench: {group}", file=sys.stderr)
        globals()[group](found)
    last = json.loads(LAST.read_text()) if LAST.exists() else {}
    (ROOT / "build/bench.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    lines, bad = table(found, last, groups)
    if "silicon" in groups:
        more, beyond = silicon_table(found)
        lines, bad = lines + more, bad + beyond
    if "growth" in groups:
        more, grown = growth_table(found)
        lines, bad = lines + more, bad + grown
        plot(found, ROOT / "build/bench-growth.svg")
    if "size" in groups:
        lines += ["", *image_bytes.table()]
    print("\n".join(lines))
    for name, value in sorted(found.items()):
        if name.startswith("wall_"):
            print(
                f"{name[5:]}: {value:,.0f} exits a second on this machine; no measure of anything"
            )
    if options.update:
        kept = {k: v for k, v in {**last, **found}.items() if not re.match("wall_", k)}
        LAST.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        write_page(kept)
        write_costs(kept)
    if bad:
        raise SystemExit("bench: " + "; ".join(bad))


if __name__ == "__main__":
    main()
