# SPDX-License-Identifier: MIT
"""What a hv.Switch shows, and its way to the world: taps, captures, the uplink."""

import binascii
import struct
import subprocess

import host
import pytest
from harness import TargetError

NET = ("-netdev", "user,id=net", "-device", "virtio-net-device,netdev=net")

# Ports that are Python's, and a question for the address of QEMU's gateway.
SCRIPT = """
import hv, time
class Ear:
    def __init__(self):
        self.got = []
    def receive(self, frame):
        self.got.append(bytes(frame))
lan = hv.Switch()
ear = Ear()
lan.ports.append(ear)
ME = b"\\x02\\x45\\x4c\\0\\0\\1"
WHO = b"\\0\\1\\x08\\0\\6\\4\\0\\1" + ME + bytes((10, 0, 2, 15)) + bytes(6) + bytes((10, 0, 2, 2))
QUESTION = b"\\xff" * 6 + ME + b"\\x08\\x06" + WHO + bytes(18)
def until(what):
    while not what():
        time.sleep_ms(1)
"""


@pytest.mark.parametrize("gic, smp, modern", [(2, 1, False), (3, 4, True)])
def test_an_uplink(boot, gic, smp, modern):
    """The host's side answers; more than its queue holds; closed, taken again, and after a soft reset."""
    version = ("-global", "virtio-mmio.force-legacy=false") if modern else ()
    target = boot(gic=gic, smp=smp, args=(*version, *NET))
    for _ in range(2):
        target.exec(SCRIPT)
        assert target.exec("up = lan.uplink(); print(up)").startswith("<Uplink <NIC 0 at 0x0a00")
        target.exec("lan.forward(ear, QUESTION); until(lambda: ear.got)", seconds=30)
        said = target.exec("print(len(ear.got), ear.got[0][:6] == ME, ear.got[0][28:32])")
        assert said == "1 True b'\\n\\x00\\x02\\x02'\n"
        many = "for _ in range(200):\n lan.forward(ear, QUESTION)\n time.sleep_us(300)\n"
        target.exec(many + "until(lambda: up.received == up.sent)", seconds=60)
        sent, dropped, got = target.exec("print(up.sent, up.dropped, len(ear.got))").split()
        assert int(sent) + int(dropped) == 201 and got == sent
        with pytest.raises(TargetError, match="ValueError: <NIC 0 .* is a port of this switch"):
            target.exec("lan.uplink()")
        with pytest.raises(TargetError, match="a network device of the hypervisor's"):
            target.exec("hv.VM(ram='1M').passthrough(0x0B00_0000, 0x0A00_3000)")
        target.exec("up.close(); up.close(); lan.forward(ear, QUESTION)")
        assert target.exec("print(lan, up.sent)") == f"<Switch: 1 ports, 1 addresses> {sent}\n"
        target.soft_reset()


def test_no_uplink(target):
    target.exec("import hv, machine; lan = hv.Switch()")
    for n in (0, -1, 4, 1 << 40):
        with pytest.raises(TargetError, match=f"no virtio network device {n}"):
            target.exec(f"lan.uplink({n})")
    assert target.exec("print(lan)") == "<Switch: 0 ports, 0 addresses>\n"


def test_frames_that_are_none(boot):
    target = boot(args=NET)
    target.exec("import machine; nic = machine.NIC()")
    for size in (0, 13, 1515, 100_000):
        with pytest.raises(TargetError, match=f"14 to 1514 bytes, not {size}"):
            target.exec(f"nic.write(bytes({size}))")
    said = target.exec(
        "print(nic.write(bytes(1514)), nic.readinto(bytearray(0)), nic.mac().hex())"
    )
    assert said.startswith("1514 None 5254")
    with pytest.raises(TargetError, match="TypeError: a handler must be callable"):
        target.exec("nic.irq(5)")
    with pytest.raises(TargetError, match="TypeError"):
        target.exec("nic.readinto(b'constant')")


def test_taps(target):
    """They see what is switched, by whom; one that fails ends, and the network does not."""
    target.exec(SCRIPT)
    script = """
other = Ear()
lan.ports.append(other)
seen = []
tap = lan.tap(lambda port, frame: seen.append((port is ear, len(frame))))
bad = lan.tap(lambda port, frame: nonsense)
lan.forward(ear, QUESTION)
lan.forward(other, ME + b"\\x02other" + b"\\x88\\xb5" + bytes(46))
tap.remove()
tap.remove()
lan.forward(ear, QUESTION)
ANSWER = ME + b"\\x02other" + b"\\x88\\xb5" + bytes(46)
lan.forward(other, ANSWER)
late = lan.tap(lambda port, frame: seen.append("late"))
lan.forward(other, ANSWER)
print(seen, len(ear.got), len(other.got))
late.remove()
elsewhere = Ear()
lan.forward(elsewhere, b"\\xff" * 6 + ME + b"\\x88\\xb5" + bytes(46))
lan.forward(other, ANSWER)
print(len(ear.got), len(elsewhere.got))
"""
    said = target.exec(script)
    assert said.startswith("a tap has ended by\nTraceback") and said.count("Traceback") == 1
    assert said.endswith("[(True, 60), (False, 60), 'late'] 3 2\n4 1\n")
    with pytest.raises(TargetError, match="TypeError: a tap calls a function, not 5"):
        target.exec("lan.tap(5)")


def test_a_capture(target, tmp_path):
    """A file that tshark reads, whole when it is closed; a full disk ends it, not the network."""
    target.exec(SCRIPT)
    script = """
with lan.pcap("/lan.pcap") as capture:
    for _ in range(3):
        lan.forward(ear, QUESTION)
    lan.forward(ear, bytes(6) + ME + b"\\x08\\0" + bytes(1500))
lan.forward(ear, QUESTION)
print(capture)
"""
    assert target.exec(script) == "<Capture '/lan.pcap': 4 frames, 1782 bytes (closed)>\n"
    code = "import binascii; print(binascii.b2a_base64(open('/lan.pcap', 'rb').read()).decode())"
    data = binascii.a2b_base64(target.exec(code))
    assert len(data) == 1782 and struct.unpack("<IHH", data[:8]) == (0xA1B23C4D, 2, 4)
    path = tmp_path / "lan.pcap"
    path.write_bytes(data)
    tshark = host.need("tshark", "tshark")
    command = [tshark, "-r", path, "-T", "fields", "-e", "frame.len", "-e", "arp.dst.proto_ipv4"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == ["60\t10.0.2.2"] * 3 + ["1514\t"]
    script = """
import os
os.remove("/lan.pcap")
capture = lan.pcap("/lan.pcap")
try:
    with open("/fill", "wb") as f:
        while True:
            f.write(bytes(65536))
except OSError:
    pass
n = 0
while capture.file and n < 5000:
    lan.forward(ear, bytes(6) + ME + b"\\x08\\0" + bytes(1500))
    n += 1
print(n < 5000, lan.taps)
os.remove("/fill")
os.remove("/lan.pcap")
"""
    said = target.exec(script, seconds=60)
    assert "a tap has ended by" in said and "OSError: [Errno 28] ENOSPC" in said
    assert said.endswith("True ()\n")
