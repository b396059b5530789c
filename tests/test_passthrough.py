# SPDX-License-Identifier: MIT
"""Devices of the machine given to a guest: Linux with the machine's own clock, beside the emulated one."""

import re
import subprocess
import sys

import pytest
from harness import ROOT, TargetError

GUESTS = ROOT / "build/guests-debian"
DISK = "-device virtio-blk-device,drive=disk -drive"
DISK += f" if=none,id=disk,format=raw,readonly=on,file=fat:{GUESTS}"

# QEMU's virt: a PL031 at 0x0901_0000, interrupt 34; a PL061 at 0x0903_0000; virtio-mmio slots.
SCRIPT = """
import hv
vm = hv.VM("linux", ram="256M")
vm.passthrough(0x0B00_0000, 0x0901_0000, irq=(34, 60))  # 34 is the emulated one's
vm.passthrough(0x0B00_1000, 0x0903_0000)
at = "/disk/6.1-cloud/"
vm.linux(at + "vmlinuz", initrd=at + "initrd.gz", cmdline="console=ttyAMA0 quiet")
"""


@pytest.mark.parametrize(("gic", "smp"), [(2, 1), (3, 4)])
def test_linux_has_the_machines_clock(boot, gic, smp):
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud"], check=True)
    target = boot(mem="512M", args=DISK.split(), gic=gic, smp=smp)
    assert target.exec(SCRIPT, seconds=30) == ""  # no warning
    target.send(b"vm.run()\r")
    target.until(b"/ # ", seconds=120)
    # Either rings in a second: rtc0 is the emulated one, rtc1 the machine's.
    target.send(b"ls -d /sys/bus/amba/devices/*/rtc/rtc*\r")
    target.until("/9010000.pl031/rtc/rtc0", seconds=30)
    target.until("/b000000.pl031/rtc/rtc1", seconds=30)
    # A second that has passed before the alarm is set never comes: then once more.
    for clock, intid in ((0, 34), (1, 60)):
        target.send(
            f"cd /sys/class/rtc/rtc{clock}; until grep -E ' [1-9][0-9]* +GIC.* {intid} Level +rtc-pl031' /proc/interrupts; "
            "do echo 0 > wakealarm; echo $(( $(cat since_epoch) + 1 )) > wakealarm; sleep 2; done\r"
        )
        target.until(re.compile(rb" [1-9]\d* +GIC\S* +%d Level +rtc-pl031" % intid), seconds=60)
    target.send(b"poweroff -f\r")
    target.until("<Exit off", seconds=60)
    target.wait_prompt()


def test_what_is_refused(target):
    """Devices of the hypervisor's, and what may write to anybody's memory: by passthrough and by stage2.map alike."""
    said = target.exec("""
import hv
vm = hv.VM("test", ram="4M")
vm.passthrough(0x0B00_0000, 0x0A00_0000, unsafe=True)
vm.close()
vm = hv.VM("other", ram="4M")
vm.passthrough(0x0B00_0000, 0x0903_0000, irq=39)
print(vm.device_tree()["/pl061@b000000"].cells("interrupts"), vm.irq(39).hw)
""")
    assert said.splitlines() == ["(0, 7, 4) False"]
    for pa, why in [
        ("0x0A00_0000", "DMA"),
        ("0x0902_0000", "fw_cfg"),
        ("0x40_1000_0000", "DMA"),  # PCIe
        ("0x7F_0000_0000", "DMA"),  # nothing
        ('hv.platform()["fdt"] & -4096', "device tree"),
        ("0x0804_0000", "interrupt controller"),
    ]:
        for call in f"passthrough(0x0B00_1000, {pa})", f"stage2.map(0x0B00_1000, {pa}, 0x1000)":
            with pytest.raises(TargetError, match=why):
                target.exec(f"vm.{call}")
            assert target.eval("vm.stage2.walk(0x0B00_1000)") is None
    for call, why in [
        ("0x0B00_1000, 0x0900_0000", "the console's UART"),
        ("0x0B00_1000, 0x0800_0000", "the real interrupt controller"),
        ("0x0B00_1000, 0x4000_0000 + (1 << 26)", "page allocator"),
        ("0x0900_0000, 0x0901_0000", "the device at 0x9000000"),
        ("0x0B00_1000, 0x0901_0000, irq=33", "in use"),
    ]:
        with pytest.raises(TargetError, match=why):
            target.exec(f"vm.passthrough({call})")
    assert target.eval("vm.stage2.walk(0x0B00_1000)") is None  # unmapped after the refusal


def test_the_hypervisors_disk_is_its_own(boot):
    """The page of /disk's registers, whatever else of virtio is in it; and a ROM's flash."""
    target = boot(args=DISK.split())
    target.exec('import hv, os; os.listdir("/disk")\nvm = hv.VM("test", ram="4M")')
    for call in (
        "passthrough(0x0B00_0000, 0x0A00_3000)",
        "stage2.map(0x0B00_0000, 0x0A00_3000, 0x1000)",
    ):
        with pytest.raises(TargetError, match="a disk of the hypervisor's"):
            target.exec(f"vm.{call}")
    target.exec("b = hv.blob(0x0400_0000, 4096)")
    with pytest.raises(TargetError, match="a blob that a script reads"):
        target.exec("vm.stage2.map(0x0B00_0000, 0x0400_0000, 0x1000)")
    assert target.eval('len(os.listdir("/disk")) > 0')
