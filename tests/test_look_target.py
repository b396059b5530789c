# SPDX-License-Identifier: MIT
"""What the target does for `elapid look`: its answers on the second line, and what they cost."""

import asyncio
import base64
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import aiohttp
import elapid
import pytest
from elapid.look.machine import HELPER, installing
from harness import ROOT

GUEST = ROOT / "build/guests/pulse.elf"
BEGIN = """
import hv
vm = hv.VM("pulse", ram="16M", cpus=2)
vm.load("/fw/opt/pulse.elf")
vm.hvc(0xC600_0001, lambda cpu, a, b, *more: a + b)
vm.mmio(0xB00_0000, 0x1000, lambda cpu, offset, value: 20)
counts = vm.count("exit irq")
s1 = vm.snapshot()
vm.on("read_sensor", action="count")
sample1 = vm.trace("exit irq", "2K")
vm.start()
"""


class Line:
    """The second line, as machine.py has it."""

    def __init__(self, target):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(target.line1))
        self.socket.settimeout(60 * target.patience)
        self.file = self.socket.makefile("rwb")

    def ask(self, *what):
        self.file.write(json.dumps([7, *what]).encode() + b"\n")
        self.file.flush()
        number, value = json.loads(self.file.readline())
        assert number == 7
        return value


@pytest.fixture(scope="module", params=[2, 3])
def asked(request, image):
    """A target in the time of its own instructions: a microsecond is 1,000 of them."""
    with elapid.Target(gic=request.param, smp=2, icount=True, files=[GUEST]) as target:
        target.exec(installing(HELPER))
        target.exec(BEGIN)
        line = Line(target)
        yield target, line
        line.socket.close()


def test_answers(asked):
    target, line = asked
    while not (vm := line.ask("state", {})["vms"][0])["said"][1] or not vm["breaks"][0][1]:
        pass
    assert vm["at_prompt"] == "vm" and vm["name"] == "pulse" and vm["running"]
    assert vm["breaks"][0][0] == "read_sensor" and vm["snapshots"] == [[1, "s1"]]
    assert vm["counts"] == ["counts"] and len(vm["cpus"]) == 2
    key = vm["key"]
    assert any(place.startswith("hvc") for _, place, _ in line.ask("counts", key, "counts"))
    tiers = {}
    while {"native", "Python"} - set(tiers):
        rows, single = line.ask("sample", key, "sample1", 5)
        tiers |= {row[0]: row for row in rows}
        assert len(single) <= 5
    assert sum(row[3] for row in rows) >= len(single)
    kind, (_, cpu, core, pc, _, esr, value) = tiers["Python"][2], tiers["Python"][4]
    words = line.ask("why", key, kind, cpu, core, pc, esr, value)
    assert "the handler <lambda>" in words and tiers["Python"][1] in words
    assert "x normal" in line.ask("explain", key, pc)
    pages = line.ask("pages", key, 1)
    assert any(pages["there"]) and any(pages["written"]) and pages["base"] == 0x4000_0000
    trace = json.loads(line.ask("trace", key, "sample1"))
    assert trace["traceEvents"][0]["args"]["name"] == "pulse"
    while "error" not in (said := line.ask("registers", key, 0)):
        pass  # asked while a handler answers this vCPU, it has them
    assert "is running" in said["error"]
    target.repl("vm.pause()")
    rows = {row[0]: row[1:] for row in line.ask("registers", key, 0)["rows"]}
    assert rows["ELR_EL2"][0] == int(target.repl("vm.cpu[0].pc"))
    assert "VM=1" in rows["HCR_EL2"][1] and "M=1" in rows["SCTLR_EL1"][1]
    assert any(text.startswith("0x0040") for text in line.ask("map", key))
    assert any("code" in text or "text" in text or "r-x" in text for text in line.ask("map", None))
    at, data = line.ask("peek", key, 0, 16)
    assert at == 0x4000_0000 and len(data) == 32
    assert line.ask("counts", 1, "counts")["error"] == "ValueError: this VM is no more"
    assert "AttributeError" in line.ask("nothing")["error"]
    line.file.write(b"no JSON\n")
    assert line.ask("type", key, [65]) == 1
    target.repl("vm.start()")


def test_four_questions_a_second_cost_less_than_a_hundredth(asked):
    """Of a core of 1 GHz at an instruction a cycle; what names cost is paid once, and a collection that falls into
    one is not the question's.
    """
    target, line = asked
    seen, took = {}, []
    for _ in range(8):
        state = line.ask("state", seen)
        took.append(state["took"])
        line.ask("sample", state["vms"][0]["key"], "sample1")
        seen = {str(vm["key"]): vm["said"][0] for vm in state["vms"]}
    assert 4 * min(took) < 10_000, took


def test_what_is_being_removed_is_left_out(asked):
    """A question comes between any two bytecodes: a breakpoint or a VM may be half gone."""
    target, line = asked
    done = threading.Event()

    def work():
        try:
            change()
        finally:
            done.set()

    def change():
        target.exec(
            "for i in range(50):\n b = vm.on('report', action='count'); b.remove()\n"
            " w = vm.watch('sink', 8); w.remove(); s = vm.snapshot(); s.drop()\n"
            " v = hv.VM('other', ram='1M'); v.close(); del v\nchanged = 50",
            60,
        )

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while not done.is_set():
            assert line.ask("state", {})["vms"][0]["name"] == "pulse"
    finally:
        thread.join()
    assert target.eval("changed") == 50


async def _joined(address, steps):
    """A page without a browser: what happens at each status of the target's, until the last."""
    origin = address[: address.index("/", 8)]
    statuses, screen = [], b""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address + "live", headers={"Origin": origin}) as page,
    ):
        async for message in page:
            what = json.loads(message.data)
            if what["k"] == "term" and what["tab"] == "repl":
                screen += base64.b64decode(what["data"])
            if what["k"] == "html" and what["at"] == "status":
                statuses.append(what["html"].partition(":")[0])
            if not steps:
                return statuses, screen.decode()
            status, does = steps[0]
            if statuses[-1:] == [status] and (what["k"] == "rates" or status == "off"):
                steps.pop(0)
                if does == "again":
                    await page.send_json({"k": "restart"})
                else:
                    does()


def test_joins_what_serve_has_started(image, tmp_path):
    """It launches a guest where none is, over the serial line; a target that ends and comes again is joined again."""
    subprocess.run([sys.executable, ROOT / "tools/look_assets.py"], check=True, timeout=300)
    env = os.environ | {"ELAPID_STATE": str(tmp_path)}

    def run(*words):
        subprocess.run([sys.executable, "-m", "elapid", *words], env=env, check=True, timeout=300)

    run("serve", "--smp", "2")
    command = [sys.executable, "-m", "elapid", "look", "--headless"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as look:
        try:
            assert "joins" in look.stdout.readline()
            address = look.stdout.readline().split()[-1]

            def stop():
                run("stop")

            def anew():
                run("serve")

            steps = [("up", stop), ("off", anew), ("off", "again"), ("up", lambda: None)]
            statuses, screen = asyncio.run(asyncio.wait_for(_joined(address, steps), 600))
        finally:
            look.send_signal(signal.SIGINT)
            run("stop")
    assert look.returncode == 0 and "vm.load('pulse.elf')" in screen
    came = [status for status, _ in itertools.groupby(s for s in statuses if s in ("off", "up"))]
    assert came[-3:] == ["up", "off", "up"], statuses
