# SPDX-License-Identifier: MIT
"""elapid trace and pcap, and bytes both ways by the second line: on a target of `elapid serve`, and on ones of their own."""

import ast
import json
import os
import struct
import subprocess
import sys
import time

import elapid
import host
import pytest
import traceprocessor
from elapid import recording
from elapid.ctrl_c import Until
from harness import ROOT
from test_host_tools import ELAPID, run, serving
from test_lan import SCRIPT as LAN
from test_trace import SETUP

# A VM that loops for ever, with a million turns of nothing each time: no ring is full before somebody has fetched what is
# in it. And a switch on which somebody asks again and again.
SERVED = (
    SETUP
    + LAN
    + """
vm.memory[0x4008_0010:0x4008_0020] = pack("<4I", 0x52A0_0205, 0x7100_04A5, 0x54FF_FFE1, 0x17FF_FFF9)
vm.cpu[0].reset(0x4008_0000)
vm.cpu[0].x[2] = 0x0900_0000
import machine
timer = machine.Timer(-1)
def ask():
    timer.init(period=20, callback=lambda t: lan.forward(ear, QUESTION))
"""
)


THINGS = {"mmio load pl011", "sysreg MRS ACTLR_EL1", "psci PSCI_VERSION"}


@pytest.fixture(scope="module")
def state(image, tmp_path_factory):
    """$ELAPID_STATE of a target in the background."""
    with serving(tmp_path_factory.mktemp("state"), "--smp", 2) as (env, line):
        with elapid.connect(line) as target:
            target.exec(SERVED)
        yield env


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """{number: [values]} of a protobuf message."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        found.setdefault(key >> 3, []).append(value)
    return found


def asked(path):
    """{(the VM, the thread, what)} of the slices and instants that Perfetto's own trace processor finds."""
    query = """select process.name as vm, thread.name as thread, slice.name as what from slice
        join thread_track on slice.track_id = thread_track.id join thread using(utid) join process using(upid) limit 5000"""
    with traceprocessor.opened(path.read_bytes()) as perfetto:
        return {(row.vm, row.thread, row.what) for row in perfetto.query(query)}


def test_kinds_are_the_targets():
    """What the host names records by is what the target and its C have."""
    tree = ast.parse((ROOT / "modules/hv/trace.py").read_text())
    names = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(names["_KINDS"]) == recording.KINDS


def recorded(command, path, env=None, wanted=("psci PSCI_VERSION",)):
    """For as long as it takes: in half a second the host may not have run the guest."""
    for seconds in (0.5, 2, 8, 32):
        status, said, errors = run([*command, "--seconds", seconds, "-o", path], env)
        assert status == 0 and "records of traced" in said and "lost" not in said, said + errors
        if all(name.encode() in path.read_bytes() for name in wanted):
            return
    raise AssertionError(f"no {wanted} in {path}")


def test_a_trace(state, tmp_path):
    """JSON and Perfetto's own; the VM stands again as it stood."""
    path = tmp_path / "x.json"
    command = [*ELAPID, "trace", "traced", "exit", "sched"]
    recorded(command, path, state, THINGS)
    events = json.loads(path.read_text())["traceEvents"]
    assert THINGS <= {e["name"] for e in events}
    assert [e["args"]["name"] for e in events if e["ph"] == "M"] == ["traced", "vCPU 0"]
    assert all(e["dur"] > 0 for e in events if e["ph"] == "X" and e["name"].startswith("on core"))

    seen = {("traced", "vCPU 0", name) for name in ("mmio load pl011", "psci PSCI_VERSION")}
    assert asked(path) >= seen

    path = tmp_path / "x.pftrace"
    recorded(command, path, state, THINGS)
    assert asked(path) >= seen
    packets = [fields(packet) for packet in fields(path.read_bytes())[1]]
    tracks = [fields(packet[60][0]) for packet in packets if 60 in packet]
    assert fields(tracks[0][3][0])[6] == [b"traced"] and fields(tracks[1][4][0])[5] == [b"vCPU 0"]
    said = [(fields(packet[11][0]), packet[8][0]) for packet in packets if 11 in packet]
    assert b"psci PSCI_VERSION" in {event[23][0] for event, _ in said if event[9] == [3]}
    begun = [event for event, _ in said if event[9] == [1]]
    assert begun and len(begun) == len([event for event, _ in said if event[9] == [2]])
    assert all(event[11] == tracks[1][1] for event, _ in said)

    status, said, errors = run([*ELAPID, "trace", "traced", "nonsense"], state)
    assert status == 1 and errors.startswith("elapid: ValueError: no exits of kind 'nonsense'")
    status, said, errors = run([*ELAPID, "trace", "other"], state)
    assert status == 1 and "no VM other at the target's prompt; there is: traced, vm" in errors
    with elapid.connect(pty_of(state)) as target:
        assert target.exec("print(vm.running, vm._traces)") == "False ()\n"


def pty_of(state):
    with open(state["ELAPID_STATE"] + "/pty") as file:
        return file.read().strip()


def test_a_capture(state, tmp_path):
    """A file that tshark reads; and live, by a pipe whose reader goes."""
    with elapid.connect(pty_of(state)) as target:
        target.exec("ask()")
    path = tmp_path / "x.pcap"
    status, said, errors = run([*ELAPID, "pcap", "lan", "-o", path, "--frames", 3], state)
    assert status == 0 and "frames of lan" in said, errors
    command = [host.need("tshark", "tshark"), "-r", path, "-T", "fields"]
    command += ["-e", "frame.len", "-e", "arp.dst.proto_ipv4"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert len(shown.splitlines()) >= 3 and set(shown.splitlines()) == {"60\t10.0.2.2"}

    live = subprocess.Popen(
        [*ELAPID, "pcap", "-o", "-"], stdout=subprocess.PIPE, env=os.environ | state
    )
    head = live.stdout.read(24 + 2 * 76)
    live.stdout.close()
    assert live.wait(300) == 0 and struct.unpack("<I", head[:4]) == (0xA1B2_3C4D,)
    assert head[24 + 16 : 24 + 22] == b"\xff" * 6
    with elapid.connect(pty_of(state)) as target:
        assert target.exec("timer.deinit(); print(lan.taps, lan)").startswith("() <Switch")
    status, said, errors = run([*ELAPID, "pcap", "wan"], state)
    assert status == 1 and "no switch wan at the target's prompt; there is: lan" in errors


def test_on_a_target_of_its_own(image, tmp_path):
    """--script makes the VM; what it raises is shown."""
    script = tmp_path / "make.py"
    script.write_text(SERVED)
    command = [*ELAPID, "trace", "traced", "psci", "--script", script, "--gic", 3]
    recorded(command, tmp_path / "x.json")
    script.write_text("1 // 0")
    status, said, errors = run(command)
    assert status == 1 and "ZeroDivisionError" in errors and f"{script} has raised" in errors


def test_bytes_both_ways(image, tmp_path):
    """By the second line, files too: ten times as fast as by the first one, which has a byte an interrupt."""
    data = os.urandom(1 << 20) + b"\x03\x04\x01"
    path = tmp_path / "bytes"
    path.write_bytes(data)
    with elapid.Target() as target:
        target.exec("import os, hashlib")

        def speeds():
            """Bytes a second there and back by the second line, and by the first: as few there as take a moment."""
            at = [time.monotonic()]
            for step in (
                lambda: target._bulk.give(data),
                lambda: target.fetch("_elapid.held") == data,
                lambda: target.call(f"len({data[:4096]!r})") == 4096,
                lambda: target.call("bytes(4096)") == bytes(4096),
            ):
                assert step()
                at.append(time.monotonic())
            return [n / (b - a) for n, a, b in zip((1 << 20, 1 << 20, 4096, 4096), at, at[1:])]

        seen = []
        while not any(a > 10 * c and b > 10 * d for a, b, c, d in seen):
            seen.append(speeds())
            assert len(seen) < 50, seen
        name = target.put(path)
        assert target.call(f"os.stat({name!r})[6]") == len(data)
        there = "(lambda f, b: f.readinto(b) and b)(open('bytes', 'rb'), bytearray(1 << 21))"
        assert target.fetch(there, 60)[: len(data)] == data
        assert target.fetch("b''") == b""
    with elapid.Target(line1=False) as target:
        path.write_bytes(data[-3000:])
        target.put(path)
        assert target.fetch("open('bytes', 'rb').read()") == data[-3000:]


def test_ctrl_c_ends_what_has_no_end():
    code = "import os, signal; from elapid.ctrl_c import Until\nwith Until() as u:\n os.kill(os.getpid(), signal.SIGINT)\n"
    code += " print(u.over)\n try:\n  os.kill(os.getpid(), signal.SIGINT)\n except KeyboardInterrupt:\n  print('again')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "again"], done.stderr
    with Until(0) as until:
        assert until.over and not until.interrupted
        until.seconds = 1000
        until.begin()  # what was to be set up first has taken its time
        assert not until.over
