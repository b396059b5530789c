# SPDX-License-Identifier: MIT
"""elapid look's server beside a target that answers as slowly as a test wants: pages without a browser."""

import asyncio
import base64
import contextlib
import json

import aiohttp
import pytest
from aiohttp import web
from elapid.look import lessons
from elapid.look.machine import Machine
from elapid.look.model import Vm
from elapid.look.server import LIBRARIES, Server

RAM = 0x4000_0000


def of_vm(running):
    """A VM's part of the target's answer to "state"."""
    cpu = ["running" if running else "stopped", 0, None, 0x4008_0000, "main", 5, {"22": 1}]
    return {
        **{"key": 1, "at_prompt": "vm", "name": "fake", "ram": 1 << 20, "running": running},
        **{"ended": "", "cpus": [cpu], "said": [0, ""], "breaks": [], "snapshots": []},
        **{"counts": [], "watches": [], "traces": [], "rules": []},
    }


class Fake(Machine):
    """A target whose answers to what is in `slow` come when they are let."""

    def __init__(self):
        super().__init__([])
        self.running, self.slow, self.waits = True, {}, asyncio.Event()
        self.typed, self.us = [], 0

    async def start(self):
        self.ready = True
        self._is("up")

    async def ask(self, what, *more):
        if what in self.slow:
            self.waits.set()
            await self.slow[what].wait()
        self.us += 1000
        vms = [of_vm(self.running)]
        return {
            "state": {"us": self.us, "took": 1, "memory": [1, 2], "vms": vms},
            "map": [],
            "pages": {"base": RAM, "part": 0x1000, "there": [0] * 256, "written": [0] * 256},
            "peek": [more[1], "00" * 256] if what == "peek" else None,
        }.get(what)


@contextlib.asynccontextmanager
async def served(monkeypatch, tmp_path, period=0.01):
    for name in LIBRARIES:
        (tmp_path / name).touch()
    monkeypatch.setattr("elapid.look.server.libraries", lambda: tmp_path)
    monkeypatch.setattr("elapid.look.server.PERIOD", period)
    monkeypatch.setattr("elapid.look.server.CLICK_SECONDS", 50)
    machine = Fake()
    server = Server(machine, None, ())
    runner = web.AppRunner(server.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    try:
        yield server, machine
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def opened(server):
    headers = {"Origin": f"http://127.0.0.1:{server.port}"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.address + "live", headers=headers) as page,
    ):
        yield page


async def pieces(page, place):
    async for message in page:
        what = json.loads(message.data)
        if what["k"] == "html" and what["at"] == place:
            yield what["html"]


async def until(page, place, text):
    async for html in pieces(page, place):
        if text in html:
            return html


@pytest.fixture
def playing(monkeypatch, tmp_path):
    """Runs a test's coroutine: f(server, machine)."""

    def play(test, **options):
        async def run():
            async with served(monkeypatch, tmp_path, **options) as (server, machine):
                await asyncio.wait_for(test(server, machine), 60)

        asyncio.run(run())

    return play


def test_a_page_begins_with_what_is_now(playing):
    """Not with what was asked before the last page was closed."""

    async def test(server, machine):
        async with opened(server) as page:
            await until(page, "picture", 'class="vm runs')
        while server.pages:
            await asyncio.sleep(0.01)
        machine.running = False
        async with opened(server) as page:
            async for html in pieces(page, "picture"):
                assert 'class="vm stopped' in html
                break

    playing(test)


def test_a_page_has_all_that_was_said(playing):
    """Before it was opened, and while it was."""

    async def test(server, machine):
        machine.slow["state"] = asyncio.Event()
        machine._say(b"one ")
        async with opened(server) as page:
            await machine.waits.wait()
            machine._say(b"two ")
            machine.slow.pop("state").set()
            await until(page, "picture", "fake")
            machine._say(b"three")
            said = b""
            async with opened(server) as other:
                for each in (other, page):
                    said = b""
                    while said != b"one two three":
                        what = json.loads((await each.receive()).data)
                        if what["k"] == "term" and what["tab"] == "repl":
                            said += base64.b64decode(what["data"])

    playing(test)


def test_an_answer_that_is_late_changes_nothing_that_was_chosen_meanwhile(playing):
    """The address of bytes, and the panel."""

    async def test(server, machine):
        async with opened(server) as page:
            await page.send_json({"k": "view", "panel": "memory", "at": RAM})
            await until(page, "panel", f"{RAM:#x}")
            machine.slow["peek"], machine.waits = asyncio.Event(), asyncio.Event()
            await machine.waits.wait()  # an update asks for the old address
            await page.send_json({"k": "view", "at": f"{RAM + 0x1000:#x}"})
            while server.pages[0].at == RAM:
                await asyncio.sleep(0.01)
            machine.slow.pop("peek").set()
            await until(page, "panel", f"{RAM + 0x1000:#x}")
            assert server.pages[0].at == RAM + 0x1000

            machine.slow["peek"], machine.waits = asyncio.Event(), asyncio.Event()
            await machine.waits.wait()
            await page.send_json({"k": "view", "panel": "time"})
            await until(page, "panel", '["time"')
            machine.slow.pop("peek").set()
            server.model.vms[1].snapshots.append((1, "s1"))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    async for html in pieces(page, "panel"):
                        assert html.startswith('["time"')

    playing(test)


def test_a_click_waits_for_the_line_of_the_one_before(playing):
    """And keeps no key waiting meanwhile."""

    async def test(server, machine):
        class Session:
            pass

        machine.session = Session()
        machine.session.close = lambda: None
        machine.session._line = None
        machine.type = machine.typed.append
        async with opened(server) as page:
            machine._say(b">>> ")
            for code in ("first()", "second()"):
                await page.send_json({"k": "type", "code": code})
            await page.send_json({"k": "key", "tab": "repl", "data": "\x03"})
            while b"\x03" not in machine.typed:
                await asyncio.sleep(0.01)
            assert machine.typed == [b"first()\r", b"\x03"]
            machine._say(b"first()\r\n>>> ")
            while b"second()\r" not in machine.typed:
                await asyncio.sleep(0.01)

    playing(test)


def test_tiers_are_parts_of_a_sample():
    """Of the sample's exits, and as many a second as the counters say there are."""
    vm = Vm(1)
    last = [1, 0, 0, 0x4008_0000, "main", 0x16 << 26, 0]
    vm.rates.append((1.0, {"HVC": 100.0}))
    rows = [
        [
            "native",
            "PSCI, in C; 45 instructions (hvc_psci_version of the bench), on the way",
            "psci",
            3,
            last,
        ]
    ]
    rows.append(
        [
            "Python",
            "the handler f: 1,094 instructions (hvc_python_exit of the bench), ...",
            "hvc",
            1,
            last,
        ]
    )
    vm.take_sample(rows)
    assert vm.tiers[-1] == (1.0, {"native": 75.0, "rules": 0.0, "Python": 25.0})
    by = {answer.tier: answer for answer in vm.answers.values()}
    assert (by["Python"].who, by["Python"].cost) == ("the handler f", "1,094")
    vm.take_sample([])  # it stands still: nothing is known anew
    assert vm.part("native") == 0.75
    for _ in range(50):
        vm.take_sample(rows[1:])
    assert list(vm.answers) == ["hvc the handler f"] and round(vm.part("Python"), 3) == 1


LESSON = """# A page

<!-- target: smp=2 -->

## 1. `x`, *or* [y](z.md)

A `*` is **not** <b>.

```pycon
>>> x
1
>>> def f():
...     return 1
...
```

```text
no step
```

## Words only

## 2. Two

```pycon
>>> y
```

The end.
"""


def test_what_is_played_is_the_page():
    one, two = lessons.parse(LESSON)
    assert [step.code for step in one.steps] == ["x", "def f():\n    return 1\n"]
    assert (two.steps, two.after) == ([lessons.Step("", "y")], "The end.")
    html = lessons.lessons([one, two], 0, 1)
    assert ">1. x, *or* [y](z.md)<" in html
    assert "A <code>*</code> is *<em>not</em>* &lt;b&gt;." in html
    assert html.index("line done") < html.index('aria-current="step"')
    assert "next session" not in html and "next session" in lessons.lessons([one, two], 0, 2)
    assert "no first-hour.md" in lessons.lessons([], 0, 0)
    first_hour = lessons.read()
    assert [each.title[:2] for each in first_hour] == [f"{n}." for n in range(10)] + ["10"]
    assert all(each.steps for each in first_hour)


def test_a_step_is_played_once(playing):
    """However often one asks for it while its answer is awaited; the next is shown when that has come."""

    async def test(server, machine):
        typed, answered = [], asyncio.Event()

        async def type_line(code, patience=0):
            typed.append(code)
            await answered.wait()
            return True

        machine.type_line = type_line
        server.lessons = lessons.parse(LESSON)
        async with opened(server) as page:
            await page.send_json({"k": "view", "panel": "lessons"})
            await until(page, "panel", "A <code>")
            for _ in range(3):
                then = {"lesson": "0", "line": "1"}
                await page.send_json({"k": "type", "code": "x", "then": then})
            await page.send_json({"k": "view", "lesson": "1"})
            await until(page, "panel", "The end")
            assert typed == ["x"]
            answered.set()
            await until(page, "panel", "line done")

    playing(test)
