# SPDX-License-Identifier: MIT
"""Linux's users of the debug registers and the PMU, in Debian's kernels: perf events, hardware breakpoints, ptrace."""

import subprocess
import sys

import cpio
import pytest
from harness import ROOT
from test_linux import GUESTS, run

PROBE = "aarch64-linux-gnu-gcc -O1 -static -nostdlib -ffreestanding -fno-stack-protector -mgeneral-regs-only".split()

SCRIPT = """
import hv
vm = hv.VM("linux", ram="256M", cpus={cpus})
vm.linux("/disk/vmlinuz", initrd="/disk/initrd.gz", cmdline="console=ttyAMA0 quiet")
if {host}:  # all of its debug exceptions come by EL2
    print(vm._vm.debug("break", 0x1000, 0x1E7), vm._vm.debug("watch", 0x1000, 0x1FFF))
"""


def disk(folder, kernel):
    """A kernel, and its initrd with the program before it."""
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", kernel], check=True)
    subprocess.run([*PROBE, "-o", folder / "probe", ROOT / "tests/debug_probe.c"], check=True)
    program = cpio.archive([cpio.file("probe", (folder / "probe").read_bytes(), 0o755)])
    program += bytes(-len(program) % 512)
    (folder / "disk").mkdir()
    (folder / "disk/vmlinuz").symlink_to(GUESTS / kernel / "vmlinuz")
    initrd = (GUESTS / kernel / "initrd.gz").read_bytes()
    (folder / "disk/initrd.gz").write_bytes(program + initrd)
    drive = f"if=none,id=disk,format=raw,readonly=on,file=fat:{folder}/disk"
    return ["-device", "virtio-blk-device,drive=disk", "-drive", drive]


@pytest.mark.parametrize(
    ("kernel", "cpus", "gic", "smp", "host"),
    [
        ("6.1-cloud", 1, 2, 1, False),
        pytest.param("6.12-cloud", 4, 3, 4, True, marks=pytest.mark.long),
    ],
)
def test_probe(boot, tmp_path, kernel, cpus, gic, smp, host):
    """Cycles, with overflow interrupts; stores seen by a watchpoint, calls by a breakpoint, a child stepped."""
    target = boot(mem="512M", gic=gic, smp=smp, args=disk(tmp_path, kernel))
    target.exec(SCRIPT.format(cpus=cpus, host=host), seconds=60)
    run(target)
    target.send(
        b"dmesg | grep -E 'hw-break|perfevents'; /probe; grep pmu /proc/interrupts; echo do''ne\r"
    )
    said = target.until("\ndone\n", seconds=120)
    assert "found 6 breakpoint and 4 watchpoint registers" in said
    assert "armv8_pmuv3 PMU driver" in said
    for line in ("cycles counted 1", "sampled 1", "stores 10", "calls 7", "steps 1000"):
        assert line + "\n" in said
    counts = said[: said.index("arm-pmu")].splitlines()[-1].split()[1 : 1 + cpus]
    assert sum(map(int, counts)) > 3
    target.send(b"poweroff -f\r")
    target.until(b"<Exit off", seconds=60)
