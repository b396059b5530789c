# SPDX-License-Identifier: MIT
"""The machine's serial lines: hv.serial()."""

import binascii
import threading

import pytest
from harness import TargetError
from machine_tree import machine_tree
from secondline import SecondLine


@pytest.fixture(params=[(2, 1, False), (3, 4, True)], ids=["gicv2-legacy", "gicv3-smp4-modern"])
def lined(request, boot):
    """A machine with a second line, and its other end."""
    gic, smp, modern = request.param
    line = SecondLine(modern)
    target = boot(gic=gic, smp=smp, args=line.args)
    line.connect()
    target.exec("import hv")
    yield target, line
    line.disconnect()


def test_one_line_only(target):
    target.exec("import hv")
    assert (
        target.exec("print(len(hv.serial()), hv.serial()[0], hv.serial(0))").count("UART(0,") == 2
    )
    for n in (1, -1, 8, 9, 1 << 40):
        with pytest.raises(TargetError, match="no serial line"):
            target.exec(f"hv.serial({n})")


def test_uarts_come_first(boot, tmp_path):
    """What the tree has as a second PL011 is line 1. QEMU 7.2 has none that is not the secure world's: this one is
    its PL061, which says that a byte has come, always.
    """
    line, tree = SecondLine(), machine_tree(tmp_path, "virtualization=on", "-m", "128M")
    data = tree.read_bytes().rstrip(b"\0")
    data = data.replace(b"arm,pl061\0", b"arm,pl011\0")
    data = data[:4] + (len(data) + 8).to_bytes(4, "big") + data[8:] + bytes(8)
    tree.write_bytes(data)
    target = boot(args=[*line.args, "-dtb", str(tree)])
    said = target.exec("import hv; print(hv.serial())")
    assert "<Serial 1: UART at 0x09030000>, <Serial 2: virtio console at 0x0a" in said
    assert (
        target.exec("s = hv.serial(1); print(s.any(), len(s.read(5000)), s.write(b'x' * 100))")
        == "4095 5000 100\n"
    )
    assert target.repl("1 + 1") == "2"
    with pytest.raises(TargetError, match="serial line of the hypervisor's"):
        target.exec("hv.VM(ram='1M').passthrough(0x0B00_0000, 0x0903_0000)")
    line.connect()
    target.exec("hv.serial(2).write(b'two')")
    assert line.until(3) == b"two"


def test_both_ways(lined):
    """Read, readinto, readline, write, any, select.poll; nothing waits; a session's end changes nothing."""
    target, line = lined
    assert "<Serial 1: virtio console at 0x0a00" in target.exec("print(hv.serial())")
    setup = "import hv, select; s = hv.serial(1); p = select.poll(); p.register(s, select.POLLIN)"
    for _ in range(2):
        target.exec(setup)
        said = target.exec("print(s is hv.serial(1), s.any(), s.read(10), p.poll(0), s.read(0))")
        assert said == "True 0 None [] b''\n"
        line.send(b"one\ntwo\n" + bytes(range(256)))
        said = "print(len(p.poll(-1))); import time\nwhile s.any() < 264: time.sleep_ms(1)"
        assert target.exec(said, seconds=20) == "1\n"
        assert (
            target.exec("print(s.readline(), s.read(4), s.any())") == "b'one\\n' b'two\\n' 256\n"
        )
        said = (
            "b = bytearray(300); print(s.readinto(b), b[:256] == bytes(range(256)), s.readinto(b))"
        )
        assert target.exec(said) == "256 True None\n"
        assert target.exec("print(s.write(b'answer'), s.write(bytes(range(256)) * 100))")
        assert line.until(6) == b"answer"
        assert line.until(25600) == bytes(range(256)) * 100
        target.soft_reset()
    with pytest.raises(TargetError, match="0xa003e00|hypervisor's"):
        target.exec("import hv; hv.VM(ram='1M').passthrough(0x0B00_0000, 0x0A00_3000)")


def test_neither_end_holds_the_other(lined):
    """A host that does not read, or is not there; a target that does not read: what was sent is kept by who sends."""
    target, line = lined
    target.exec("s = hv.serial(1); s.any()")
    data = bytes(n * n >> 5 & 0xFF for n in range(300_000))
    sender = threading.Thread(target=line.send, args=(data,))
    sender.start()
    for n in range(20):  # nobody reads: the prompt is as ever
        assert target.repl(f"{n} + 1") == str(n + 1)
    target.exec("import time; t = b = 0\nwhile s.any() < 8192: time.sleep_ms(1)")
    target.exec(
        """
got = hash = 0
buf = bytearray(5000)
import binascii
while got < 300_000:
    n = s.readinto(buf)
    if n:
        got += n
        hash = binascii.crc32(memoryview(buf)[:n], hash)
""",
        seconds=60,
    )
    sender.join()
    assert target.eval("(hash, s.any())") == (binascii.crc32(data), 0)
    # The other way round: nobody reads at the host, then nobody is there.
    target.exec("for i in range(200): s.write(bytes(10_000))", seconds=30)
    line.disconnect()
    target.exec("for i in range(200): s.write(bytes(10_000))", seconds=30)
    line.connect()
    line.send(b"again")
    target.exec("while s.any() < 5: time.sleep_ms(1)\nprint(s.read())")
    target.exec("s.write(b'\\xFFback\\xFF')")
    assert line.until(b"\xffback\xff")


def test_handler(lined):
    """Called when something has come; a line that never falls silent leaves the prompt its turn, and a guest too."""
    target, line = lined
    target.exec("""
s = hv.serial(1)
seen = []
s.irq(lambda line: seen.append(line.read()))
""")
    line.send(b"hello")
    target.exec("while not seen: pass\nprint(seen)\nseen.clear()")
    with pytest.raises(TargetError, match="must be callable"):
        target.exec("s.irq(5)")
    target.exec("""
calls = 0
def count(line):
    global calls
    calls += len(line.read() or b"")
s.irq(count)
""")
    stop, sent = threading.Event(), []

    def flood():
        while not stop.is_set():
            line.send(bytes(1000))
            sent.append(1000)

    sender = threading.Thread(target=flood)
    sender.start()
    for n in range(20):
        assert target.repl(f"{n} + 1") == str(n + 1)
    stop.set()
    sender.join()
    assert sent
    target.exec(f"while calls < {sum(sent)}: pass\nprint(calls)", seconds=60)
    # One that raises says so, and is called again; after a soft reset there is none.
    target.exec("def bad(line): line.read(); 1/0\ns.irq(bad)")
    line.send(b"x")
    target.until("ZeroDivisionError")
    target.soft_reset()
    line.send(b"y")
    said = target.exec("import hv; s = hv.serial(1)\nwhile not s.any(): pass\nprint(s.read())")
    assert said == "b'y'\n"
