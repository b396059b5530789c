# SPDX-License-Identifier: MIT
"""`make test-long`: Linux's own load on four cores, again and again. What is lost once in a thousand times shows here."""

import gzip
import os
import subprocess
import sys

import pytest
from harness import ROOT
from test_virtio_linux import SCRIPT

GUESTS = ROOT / "build/guests-debian"
ROUNDS = int(os.environ.get("ROUNDS", 20))
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture
def machine(boot, tmp_path):
    """machine(gic): four cores, with Debian's kernel, and fio and iperf3 in its initramfs."""

    def start(gic):
        fetch = [sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud", "load"]
        subprocess.run(fetch, check=True)
        images = (
            tmp_path / "images"
        )  # QEMU hands over one file: the kernel, and the initramfs behind it
        kernel = (GUESTS / "6.1-cloud/vmlinuz").read_bytes()
        parts = [GUESTS / "6.1-cloud/initrd.gz", GUESTS / "load/programs.gz"]
        initrd = b"".join(gzip.decompress(part.read_bytes()) for part in parts)
        images.write_bytes(kernel + initrd)
        target = boot(gic=gic, smp=4, mem="2G", kernel="hypervisor.bin", args=["-initrd", images])
        script = SCRIPT[SCRIPT.index("def until") :].replace("{{", "{").replace("}}", "}")
        views = f"import hv, time\nboth = hv.initrd()\nkernel, initrd = both[:{len(kernel)}], both[{len(kernel)}:]\n"
        target.exec(views + script, seconds=30)
        return target

    return start


FIO = (
    "fio --name=t --filename=/dev/vda --rw=randrw --bs=4k --iodepth=8 --ioengine=libaio --direct=1 "
    "--size=16m --verify=crc32c --verify_fatal=1 --minimal > /tmp/out; echo status $?"
)


@pytest.mark.parametrize("gic", [2, 3])
def test_a_disk_that_is_verified(machine, gic):
    """fio at depth 8 with four vCPUs: it ends, and what it reads is what it wrote."""
    target = machine(gic)
    target.exec(
        """
vm = hv.VM("linux", ram="512M", cpus=4)
vm.block(16 << 20)
boot(vm)
""",
        seconds=300,
    )
    for _ in range(ROUNDS):
        assert target.exec(f"print(sh(vm, {FIO!r}, 300))", 320).strip() == "status 0"


@pytest.mark.parametrize("gic", [2, 3])
def test_two_guests_send_to_each_other(machine, gic):
    """iperf3 over the switch, in both directions."""
    target = machine(gic)
    target.exec(
        """
lan = hv.Switch()
vms = [hv.VM(name, ram="384M", cpus=2) for name in ("one", "two")]
for n, vm in enumerate(vms, 1):
    vm.net(lan)
    boot(vm)
    sh(vm, "ip link set lo up; ip addr add 10.0.0.%d/24 dev eth0; ip link set eth0 up" % n)
sh(vms[1], "iperf3 -s -D; sleep 1")
""",
        seconds=600,
    )
    for turn in range(ROUNDS):
        command = f"iperf3 -c 10.0.0.2 -t 5 {'-R' * (turn % 2)} > /tmp/out; echo status $?"
        said = target.exec(f"print(sh(vms[0], {command!r}, 300))", 320).strip()
        assert said == "status 0", target.exec("print(sh(vms[0], 'cat /tmp/out'))", 60)
