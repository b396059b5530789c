# SPDX-License-Identifier: MIT
"""Linux's own virtio drivers, of Debian's 6.1 kernel: disks, random numbers, a console, a network."""

import binascii
import hashlib
import http.server
import random
import subprocess
import sys
import threading

import host
import pytest
from harness import ROOT
from test_lan import NET

GUEST = ROOT / "build/guests-debian/6.1-cloud"
KERNEL, INITRD = 0x7A00_0000, 0x7E00_0000  # where QEMU puts the files, in what 1 GB leaves free

# Guests in the background, each at the shell of its console.
SCRIPT = """
import hv, time, uctypes
kernel = memoryview(uctypes.bytearray_at({kernel:#x}, {kernel_size}))
initrd = memoryview(uctypes.bytearray_at({initrd:#x}, {initrd_size}))
def until(vm, what, seconds=90):  # of a machine with nothing else to do, as the harness counts them
    said, end = b"", time.ticks_add(time.ticks_ms(), seconds * 10_000)
    while what not in said and vm.running:
        said += vm.console.read(4096) or b""
        assert time.ticks_diff(end, time.ticks_ms()) > 0, said
        time.sleep_ms(5)
    return said
def boot(vm):
    vm.linux(kernel, initrd=initrd, cmdline="console=ttyAMA0 quiet")
    vm.start()
    until(vm, b"/ # ")
def type_at(vm, line):
    for at in range(0, len(line), 64):
        vm.console.write(line[at:at + 64])
def sh(vm, line, seconds=90):
    type_at(vm, b"stty -echo; echo star't'; " + line.encode() + b"; echo en'd'\\r")
    said = until(vm, b"\\nend\\r\\n/ # ", seconds).decode()
    return said.partition("start\\r\\n")[2].rpartition("end")[0].replace("\\r\\n", "\\n").strip()
"""


@pytest.fixture(scope="module")
def images():
    """The kernel's and the initrd's paths; fetched from Debian's archive the first time."""
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud"], check=True)
    return GUEST / "vmlinuz", GUEST / "initrd.gz"


def with_linux(boot, folder, args=(), **options):
    """A machine with a folder's kernel and initrd in its memory and the script above run on it."""
    names, args = {}, [*args]
    for name, file, at in (("kernel", "vmlinuz", KERNEL), ("initrd", "initrd.gz", INITRD)):
        args += ["-device", f"loader,file={folder / file},addr={at:#x},force-raw=on"]
        names |= {name: at, f"{name}_size": (folder / file).stat().st_size}
    target = boot(mem="1G", args=args, **options)
    target.exec(SCRIPT.format(**names), seconds=30)
    return target


# A VM that has not begun, its kernel moved or not: to be started by who has put something into it.
LOADED = """
vm = hv.VM("linux", ram="256M", cpus={cpus})
line = "console=ttyAMA0 quiet"
loaded = vm.linux(kernel, initrd=initrd, cmdline=line)
if {kaslr}:
    tree = vm.device_tree(bootargs=line, initrd=loaded.initrd, kaslr_seed=0x1234_5678_1234_5678)
    hv.loader.put_tree(vm.memory, tree, at=loaded.dtb)
"""


@pytest.fixture
def machine(boot, images):
    """machine(gic=3, ...): one with the script above run on it."""

    def start(**options):
        return with_linux(boot, GUEST, **options)

    return start


WRITE = "mount /dev/{disk} /mnt; cat /bin/busybox /bin/busybox > /mnt/file; umount /mnt"
CHECK = (
    "echo 3 > /proc/sys/vm/drop_caches; mount /dev/{disk} /mnt; sha256sum < /mnt/file; umount /mnt"
)


@pytest.mark.parametrize("gic, smp", [(2, 1), (3, 4)])
def test_disks_are_mounted_written_and_read_back(machine, gic, smp):
    """Modern and legacy, ext2 and FAT, in memory and copy-on-write; random numbers on the way."""
    target = machine(gic=gic, smp=smp)
    script = f"""
from hv.block import Block
vm = hv.VM("linux", ram="128M", cpus={smp})
base = hv.block.Pages(16 << 20)
a = vm.block(24 << 20)
b = vm.virtio(Block(base, cow=True, legacy=True))
vm.block(bytes(4096))
vm.rng()
boot(vm)
print(sh(vm, "cat /sys/block/vd?/size /sys/block/vd?/ro | tr '\\\\n' ' '; nproc"))
print(end=sh(vm, "mke2fs -F /dev/vda > /dev/null; mkdosfs /dev/vdb > /dev/null"))
print(sh(vm, "cat /bin/busybox /bin/busybox | sha256sum"))
for disk in "vda", "vdb":
    sh(vm, {WRITE!r}.format(disk=disk))
    print(sh(vm, {CHECK!r}.format(disk=disk)))
print(sh(vm, "head -c 512 /dev/hwrng | sha256sum | wc -c; dd if=/dev/zero of=/dev/vdc 2>/dev/null || echo refused"))
print(len(b.store.chunks) > 40, not any(memoryview(base)[:1 << 16]), a.error, b.error, a.port.fault, b.port.fault)
print(hex(a.port.features), hex(b.port.features))
type_at(vm, b"reboot -f\\r")
until(vm, b"/ # ")
print(sh(vm, {CHECK!r}.format(disk="vda")), sh(vm, "head -c 99 /dev/hwrng | wc -c"))
type_at(vm, b"poweroff -f\\r")
until(vm, b"never")
print(vm.exit.reason)
"""
    lines = target.exec(script, seconds=300).splitlines()
    assert len(lines[1]) == 67
    assert lines == [
        f"49152 32768 8 0 0 1 {smp}",
        lines[1],
        lines[1],
        lines[1],
        "68",
        "refused",
        "True True None None None None",
        "0x110000204 0x10000204",
        lines[1] + " 99",
        "off",
    ]


DOWNLOAD = """
up = lan.uplink()
print(sh(vms[1], "ip addr add 10.0.2.15/24 dev eth0; wget -q -O - http://10.0.2.2:{port}/file | sha256sum"))
"""


@pytest.fixture
def server():
    """A server of one file on the host's loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.data)))
            self.end_headers()
            self.wfile.write(self.server.data)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.data = random.Random(1).randbytes(300_000)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def captured(target):
    """The bytes of /lan.pcap there."""
    code = "capture.close(); import binascii; print(binascii.b2a_base64(open('/lan.pcap', 'rb').read()).decode())"
    return binascii.a2b_base64(target.exec(code, seconds=60))


@pytest.mark.parametrize("gic", [2, 3])
def test_two_linux_guests_ping_each_other(machine, server, gic):
    """Over the switch, with two vCPUs each, while the prompt answers; and a console besides the PL011. tshark sees it, and
    one of them fetches a file from the host.
    """
    target = machine(gic=gic, smp=4, args=NET)
    script = """
lan = hv.Switch()
capture = lan.pcap("/lan.pcap")
vms = [hv.VM(name, ram="128M", cpus=2) for name in ("one", "two")]
nics = [vm.net(lan) for vm in vms]
hvc = vms[0].virtio_console()
for n, vm in enumerate(vms, 1):
    boot(vm)
    print(sh(vm, "nproc; ip addr add 10.0.0.%d/24 dev eth0; ip link set eth0 up; cat /sys/class/net/eth0/address" % n))
print([":".join(["%02x" % byte for byte in nic.mac]) for nic in nics])
hvc.write(b"typed\\n")
print(sh(vms[0], "head -n 1 /dev/hvc0; echo printed > /dev/hvc0"), hvc.read())
type_at(vms[0], b"ping -c 15 -i 0.1 -s 1400 10.0.0.2\\r")
"""
    lines = target.exec(script, seconds=240).splitlines()
    assert lines[:4] == ["2", "02:45:4c:00:01:00", "2", "02:45:4c:00:02:00"]
    assert lines[4] == "['02:45:4c:00:01:00', '02:45:4c:00:02:00']"
    assert lines[5].startswith("typed b'") and "printed" in lines[5]
    for i in range(10):
        assert target.repl(f"{i} * 7", seconds=30) == str(i * 7)
    said = target.exec("print(until(vms[0], b'packet loss').decode())", seconds=120)
    assert "15 packets transmitted, 15 packets received, 0% packet loss" in said
    shown = subprocess.run(
        [host.need("tshark", "tshark"), "-r", "-", "-Y", "icmp.type == 0", "-T", "fields", "-e", "ip.src"],
        input=captured(target), capture_output=True, check=True
    )  # fmt: skip
    assert shown.stdout.split() == [b"10.0.0.2"] * 15
    said = target.exec(DOWNLOAD.format(port=server.server_port), seconds=240)
    assert said.split()[0] == hashlib.sha256(server.data).hexdigest()
    script = """
print("%d%%" % (100 * nics[0].received // nics[1].sent), [nic.port.fault for nic in nics])
print("0% packet loss" in sh(vms[1], "ping -c 3 -i 0.2 10.0.0.1"))
up.close()
vms[0].close()
print("100% packet loss" in sh(vms[1], "ping -c 2 -i 0.2 -W 1 10.0.0.1"), len(lan.ports))
"""
    assert target.exec(script, seconds=120).splitlines()[-2:] == ["True", "True 1"]
