# SPDX-License-Identifier: MIT
"""elapid look's web server: one target, any number of pages of it.

It listens on the loopback address only. Whoever has the page has the prompt: the address has a token that nobody can guess,
and a page of another origin gets nothing, whatever it asks (Host and Origin are looked at).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import secrets
import time
import traceback
import webbrowser
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from ..image import IN_SOURCE, SOURCE
from ..say import Stop, say
from . import enter, lessons, memory, registers, views
from .machine import Machine
from .model import Model, Vm

STATIC = Path(__file__).with_name("static")
PERIOD = 0.25
MAP_SECONDS = 1.0  # between two pictures of memory
PHASE_SECONDS = 2.0  # of an exit that is shown slowly: a quarter of its way
CLICK_SECONDS = 5.0  # how long a click waits for what the one before has typed
# Of the npm registry: fetched by make (tools/look_assets.py), and in the wheel.
LIBRARIES = (
    *("xterm.js", "xterm.css", "addon-fit.js", "uPlot.iife.min.js", "uPlot.min.css"),
    "morphdom-umd.min.js",
)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def libraries() -> Path:
    """The folder of xterm.js and uPlot."""
    folder = SOURCE / "build" / "look" if IN_SOURCE else STATIC / "lib"
    missing = [name for name in LIBRARIES if not (folder / name).is_file()]
    if missing:
        raise Stop(f"{folder} has no {missing[0]}: `make look` fetches what the page needs")
    return folder


class Page:
    """One browser's view: what it shows is its own."""

    def __init__(self, socket: web.WebSocketResponse):
        self.socket = socket
        self.panel = "exits"
        self.vm: int | None = None
        self.cpu = 0
        self.map = "vm"
        self.at = 0  # IPA of bytes that are shown
        self.byte: int | None = None  # of which one was clicked
        # Of memory: when it was asked for, of which VM, the lines of a dump and a picture of RAM.
        self.maps: tuple[float, int | None, list[str], str] = (0, 0, [], "")
        self.chart = "class"
        self.step = 0  # of the way to EL1
        self.lesson = self.line = (
            0  # of the first hour: which session, and its statement that is next
        )
        self.playing = False  # one of its statements is being typed, or its answer waited for
        self.why = ""  # which exits: "class HVC", or an Answer's key
        self.explain: tuple[int, str] | None = None  # which address, and its place
        self.slow = 0.0  # since when exits are shown slowly
        self.turned = 0  # how often it was told to show something else
        self.changed_from: dict[str, int] = {}
        self.values: dict[str, int] = {}  # of registers, as last shown
        self.values_of: tuple[int, int] | None = None  # VM and vCPU
        self.shown: dict[str, str] = {}
        self.charted: tuple[int | None, str, float] = (None, "", 0)

    async def send(self, **what: Any) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.socket.send_str(json.dumps(what))

    async def show(self, place: str, html: str) -> None:
        """Sends a piece of the page, if it is not what is there."""
        if self.shown.get(place) != html:
            self.shown[place] = html
            await self.send(k="html", at=place, html=html)

    def term(self, tab: str, data: bytes) -> None:
        asyncio.ensure_future(self.send(k="term", tab=tab, data=base64.b64encode(data).decode()))


class Server:
    """The pages of a machine. token: the first part of all paths; launch: lines typed when
    no VM is there, {path} in them guest's on the target."""

    def __init__(self, machine: Machine, guest: Path | None, launch: Sequence[str], port: int = 0):
        self.machine, self.guest, self.launch, self.port = machine, guest, launch, port
        self.token = secrets.token_urlsafe(24)
        self.model = Model()
        self.lessons = lessons.read()
        self.pages: list[Page] = []
        self.updates = 0
        self.doing: set[asyncio.Future[None]] = set()  # what clicks have begun
        machine.hear = lambda data: self.to_all("repl", data)
        machine.changed = self.changed

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self.guard])
        app.add_routes(
            [
                web.get("/{token}/", self.index),
                web.get("/{token}/live", self.live),
                web.get("/{token}/trace/{key}/{name}", self.trace),
                web.static("/" + self.token + "/static", STATIC),
                web.static("/" + self.token + "/lib", libraries()),
            ]
        )
        app.cleanup_ctx.append(self.running)
        return app

    @web.middleware
    async def guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Nothing for who has not the token, nor for a page of another origin (DNS rebinding has another Host)."""
        hosts = {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        token = request.path.split("/")[1]
        good = hmac.compare_digest(token.encode(), self.token.encode())
        if host not in hosts or origin not in (None, f"http://{host}") or not good:
            raise web.HTTPForbidden(
                text="elapid: the page's address is what `elapid look` printed\n"
            )
        response = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    async def index(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=(STATIC / "index.html").read_text(), content_type="text/html")

    # -- The machine

    async def running(self, app: web.Application) -> Any:
        task = asyncio.create_task(self.go_on())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        self.machine.close()

    async def go_on(self) -> None:
        """Starts the machine, launches a guest where none is, and asks four times a second while somebody looks."""
        await self.machine.start()
        await self.begin()
        while True:
            began = time.monotonic()
            if self.pages and self.machine.ready:
                try:
                    await self.update()
                except (
                    Exception
                ) as error:  # of one answer: the next one may be better, and the page says so
                    traceback.print_exc()
                    await self.note(f"An update failed: {error}")
            took = time.monotonic() - began
            await asyncio.sleep(max(0.02, PERIOD - took))

    async def begin(self) -> None:
        if not self.machine.ready:
            return
        answer = await self.machine.ask("state", {})
        if answer and not answer["vms"] and self.guest:
            path = await self.machine.put(self.guest)
            for line in self.launch:
                await self.machine.type_line(line.format(path=path))

    async def note(self, text: str) -> None:
        for page in list(self.pages):
            await page.send(k="note", text=text)

    async def update(self) -> None:
        answer = await self.machine.ask("state", self.model.question())
        if answer is None:
            return
        self.updates += 1
        for key, fresh in self.model.take(answer).items():
            if fresh:
                self.to_all(str(key), fresh)
        for vm in {
            each.key: each for page in self.pages if (each := self.model.vm(page.vm))
        }.values():
            await self.sample(vm)
        for page in list(self.pages):
            await self.refresh(page)

    async def sample(self, vm: Vm) -> None:
        """Who answers the exits of a VM that somebody looks at."""
        if not vm.sample:
            vm.answers.clear()
            return
        timed = any(page.panel == "time" for page in self.pages)
        with contextlib.suppress(LookupError):  # it is being stopped
            if answer := await self.machine.ask("sample", vm.key, vm.sample, 120 * timed):
                vm.take_sample(*answer)

    async def trace(self, request: web.Request) -> web.StreamResponse:
        """What a trace has noted, as a file for ui.perfetto.dev."""
        key, name = request.match_info["key"], request.match_info["name"]
        vm = self.model.vms.get(int(key)) if key.isdigit() else None
        if vm is None or name not in vm.traces:
            raise web.HTTPNotFound(text="elapid: there is no such trace at the prompt\n")
        try:
            text = await self.machine.ask("trace", vm.key, name)
        except LookupError as error:
            raise web.HTTPConflict(text=f"elapid: {error}\n") from None
        if text is None:
            raise web.HTTPServiceUnavailable(text="elapid: the target does not answer\n")
        return web.Response(text=text, content_type="application/json")

    def changed(self) -> None:
        if self.machine.status == "off":
            self.model = Model()
        for page in self.pages:
            asyncio.ensure_future(self.refresh(page))

    def to_all(self, tab: str, data: bytes) -> None:
        for page in self.pages:
            page.term(tab, data)

    # -- Pages

    async def refresh(self, page: Page) -> None:
        machine, model, turned = self.machine, self.model, page.turned
        vm = model.vm(page.vm)
        await page.show("status", machine.status + (f": {machine.why}" if machine.why else ""))
        tabs = [["repl", ">>>"]] + [[str(each.key), each.name] for each in model.vms.values()]
        await page.show("tabs", json.dumps(tabs))
        await page.show("picture", views.picture(model, vm, machine.status, self.story(page, vm)))
        panel = page.panel
        html = await self.panel(page, vm)
        if (
            page.turned == turned
        ):  # else it is of what is no longer wanted, and the next one is on its way
            await page.show("panel", json.dumps([panel, html]))
        await self.chart(page, vm)

    def story(self, page: Page, vm: Vm | None) -> views.Story | None:
        """Which exit is shown slowly, each kind in turn."""
        if not page.slow or vm is None or not vm.answers:
            return None
        n, phase = divmod(int((time.monotonic() - page.slow) / PHASE_SECONDS), 4)
        answers = [vm.answers[key] for key in sorted(vm.answers)]
        return views.Story(answers[n % len(answers)], phase)

    async def asked(self, what: str, *more: Any) -> Any:
        """The target's answer, or as text why there is none."""
        try:
            return await self.machine.ask(what, *more) or "waiting for the target"
        except LookupError as error:
            return str(error)

    async def panel(self, page: Page, vm: Vm | None) -> str:
        if page.panel == "exits":
            chosen, why = await self.why(page, vm)
            return views.exits(vm, page.chart, why, chosen)
        if page.panel == "enter":
            page.cpu = min(page.cpu, len(vm.cpus) - 1) if vm else 0
            answer = await self.asked("registers", vm.key, page.cpu) if vm else ""
            return enter.enter(vm, page.cpu, answer, page.step)
        if page.panel == "hot":
            return await self.hot(page, vm)
        if page.panel == "registers":
            return await self.registers(page, vm)
        if page.panel == "memory":
            return await self.memory(page, vm)
        if page.panel == "lessons":
            return lessons.lessons(self.lessons, page.lesson, page.line)
        return {"breaks": views.breaks, "time": views.time}[page.panel](vm)

    async def why(self, page: Page, vm: Vm | None) -> tuple[str, str]:
        """Of a class or an answerer that was clicked: whose exits, and what vm.why() says of the latest."""
        if not page.why or vm is None:
            return "", ""
        name = page.why.removeprefix("class ")
        of = [
            each
            for each in vm.answers.values()
            if page.why in (each.key, f"class {each.of_class}")
        ]
        if not of:
            words = f"No exit of {name} has been sampled" + ": see below." * (not vm.sample) + "."
            return "", views.detail(words, [] if vm.sample else [views.sampling(vm)])
        answer = max(of, key=lambda each: each.share)
        us, cpu, core, pc, place, esr, value = answer.last
        words = await self.asked("why", vm.key, answer.kind, cpu, core, pc, esr, value)
        return answer.key, views.detail(words, views.offers_of_exit(vm, answer, words))

    async def hot(self, page: Page, vm: Vm | None) -> str:
        count = vm.counts[-1] if vm and vm.counts else None
        rows, why = None, ""
        if vm and count:
            try:
                rows = await self.machine.ask("counts", vm.key, count)
            except LookupError as error:
                why = str(error)
        explained = ""
        if page.explain and vm:
            address, place = page.explain
            words = await self.asked("explain", vm.key, address)
            explained = views.detail(words, views.offers_of_place(vm, address, place))
        return views.hot(vm, count, rows, why, explained)

    async def registers(self, page: Page, vm: Vm | None) -> str:
        page.cpu = min(page.cpu, len(vm.cpus) - 1) if vm else 0
        of = (vm.key, page.cpu) if vm else None
        if of != page.values_of:
            page.values_of, page.values, page.changed_from = of, {}, {}
        before, turned = page.values, page.turned
        try:
            answer = await self.machine.ask("registers", vm.key, page.cpu) if vm else None
        except LookupError as error:
            return registers.registers(vm, page.cpu, str(error), before)
        if answer is None:
            return registers.registers(vm, page.cpu, "waiting for the target", before)
        if page.turned == turned:
            page.values = {name: value for name, value, _ in answer["rows"]}
        if page.values == before:
            before = page.changed_from
        else:
            page.changed_from = before
        return registers.registers(vm, page.cpu, answer, before)

    async def memory(self, page: Page, vm: Vm | None) -> str:
        if page.map == "el2":
            vm = None
        at: tuple[int, bytes] | str = "waiting for the target"
        lines, ram = await self.maps(page, vm)
        try:
            if vm and (answer := await self.machine.ask("peek", vm.key, page.at, 256)):
                at = memory.peek(answer)
        except LookupError as error:
            at = str(error)
        return memory.memory(vm, lines, at, ram, page.byte)

    async def maps(self, page: Page, vm: Vm | None) -> tuple[list[str], str]:
        """Lines of a dump, and RAM as a picture: once a second, since they may be long."""
        key = vm.key if vm else None
        then, of, lines, ram = page.maps
        if of == key and time.monotonic() - then < MAP_SECONDS:
            return lines, ram
        with contextlib.suppress(LookupError):
            lines = await self.machine.ask("map", key) or []
        number = vm.snapshots[-1][0] if vm and vm.snapshots else None
        ram = memory.ram(vm, await self.asked("pages", key, number), number) if vm else ""
        page.maps = time.monotonic(), key, lines, ram
        return lines, ram

    async def chart(self, page: Page, vm: Vm | None) -> None:
        """The points that this page has not got yet."""
        key, kind = (vm.key if vm else None), page.chart if vm and vm.tiers else "class"
        anew = page.charted[:2] != (key, kind)
        since = -1.0 if anew else page.charted[2]
        points = () if vm is None else vm.tiers if kind == "tier" else vm.rates
        fresh = [point for point in points if point[0] > since]
        if fresh or anew:
            await page.send(k="rates", anew=anew, points=fresh)
            page.charted = key, kind, fresh[-1][0] if fresh else -1.0

    async def live(self, request: web.Request) -> web.StreamResponse:
        if "Origin" not in request.headers:  # a browser always says
            raise web.HTTPForbidden(text="elapid: no Origin\n")
        socket = web.WebSocketResponse(heartbeat=20, max_msg_size=1 << 24)
        await socket.prepare(request)
        if not self.pages and self.machine.ready:
            with contextlib.suppress(LookupError):
                await self.update()  # nobody has asked since the last page was closed
        page = Page(socket)
        page.term("repl", bytes(self.machine.screen))
        for vm in self.model.vms.values():
            page.term(str(vm.key), bytes(vm.said))
        self.pages.append(page)  # with no wait since then: what is said from now on comes to it
        try:
            await self.refresh(page)
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await self.said(page, json.loads(message.data))
        finally:
            self.pages.remove(page)
        return socket

    async def said(self, page: Page, what: dict[str, Any]) -> None:
        kind = what.get("k")
        if kind == "key":
            await self.key(str(what["tab"]), str(what["data"]).encode())
        elif kind == "type":
            then = what.get("then")
            self.later(self.click(page, str(what["code"]), then if isinstance(then, dict) else {}))
            await asyncio.sleep(
                0
            )  # it types now, if the prompt is free: before the key that comes next
        elif kind == "view":
            if what.get("panel") in views.PANELS:
                page.panel = what["panel"]
            self.turn(page, what)
            await self.refresh(page)
        elif kind == "restart" and self.machine.status == "off":
            self.machine.screen.clear()
            await self.machine.start()
            await self.begin()

    def later(self, doing: Coroutine[Any, Any, None]) -> None:
        """Beside what else this page says: a line that takes long keeps no key, Ctrl-C say, waiting."""
        task = asyncio.ensure_future(doing)
        self.doing.add(task)
        task.add_done_callback(self.doing.discard)

    async def click(self, page: Page, code: str, then: dict[str, Any]) -> None:
        """then: what the page is to show when the answer is there. Of two such clicks the second waits for no prompt."""
        if then and page.playing:
            return
        page.playing = page.playing or bool(then)
        try:
            typed = await self.machine.type_line(code, CLICK_SECONDS)
        finally:
            page.playing = page.playing and not then
        if not typed:
            await page.send(
                k="note", text="The prompt is not free: finish its line, or Ctrl-C there."
            )
        elif then:
            self.turn(page, then)
            await self.refresh(page)

    def turn(self, page: Page, what: dict[str, Any]) -> None:
        """What a page is to show from now on; what is no number stays as it was."""
        page.turned += 1
        if what.get("map") in ("el2", "vm"):
            page.map = what["map"]
        if what.get("chart") in ("class", "tier"):
            page.chart = what["chart"]
        if "slow" in what:
            page.slow = time.monotonic() if what["slow"] == "1" else 0.0
        if "why" in what:
            page.why, page.explain = str(what["why"]), None
        if "explain" in what:
            with contextlib.suppress(ValueError):
                page.explain = int(str(what["explain"]), 0), str(what.get("place", ""))
        for name in ("vm", "cpu", "at", "byte", "step", "lesson", "line"):
            with contextlib.suppress(KeyError, ValueError, TypeError):
                text = what[name]
                setattr(page, name, int(text, 0) if isinstance(text, str) else int(text))

    async def key(self, tab: str, data: bytes) -> None:
        """Typed at the prompt, or at a guest's console."""
        if tab == "repl":
            self.machine.type(data)
            return
        with contextlib.suppress(LookupError):
            while data:
                taken = await self.machine.ask("type", int(tab), list(data[:1024]))
                if taken is None:
                    return
                data = data[taken:]
                await asyncio.sleep(0 if taken else PERIOD)


async def serve(server: Server, headless: bool) -> None:
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", server.port)
    await site.start()
    server.port = runner.addresses[0][1]
    say(f"the page is {server.address}")
    if not headless:
        await asyncio.to_thread(webbrowser.open, server.address)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
