# SPDX-License-Identifier: MIT
"""elapid look in a real browser, as a person has it: clicks, keys, and what is to be seen."""

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import pytest
from browser import chromium
from harness import ROOT

PICTURES = ROOT / "build/pictures"
WAIT = 120_000  # ms, of a loaded machine


# What one can read on a page, and in each of its terminals.
TEXT = r"""[...document.querySelectorAll('header, main, .screen')].map(box => box.matches('.screen')
    ? `-- console ${box.dataset.tab}\n` + [...box.querySelectorAll('.xterm-accessibility-tree > *')].map(row => row.textContent).join('\n').trimEnd()
    : box.innerText).join('\n')"""


class Look:
    """`elapid look` in a process of its own, and pages of it."""

    def __init__(self, browser, folder, *words):
        self.browser, self.pages = browser, []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "elapid", "look", "--headless", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"ELAPID_STATE": str(folder)},
        )
        said = ""
        while not (found := re.search(r"the page is (\S+)", said)):
            fresh = self.process.stdout.readline()
            assert fresh, said
            said += fresh
        self.address = found[1]

    @contextlib.contextmanager
    def page(self, **options):
        """One at 1280 x 800, closed at the end; it has made no errors."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        context.set_default_timeout(WAIT)
        page, errors = context.new_page(), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.goto(self.address)
        self.pages.append(page)
        yield page
        self.pages.remove(page)
        context.close()
        assert not errors, errors

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        """A failed test's report has what each of its pages shows, and all of the consoles' lines there."""
        report = yield
        for page in self.pages if report.failed else ():
            with contextlib.suppress(Exception):  # it is gone, or hangs
                page.set_default_timeout(5_000)
                report.sections.append(("the page", page.evaluate(TEXT)))
        return report

    def close(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0
        self.process.stdout.close()


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def look(request, image, browser, tmp_path_factory):
    subprocess.run([sys.executable, ROOT / "tools/look_assets.py"], check=True, timeout=300)
    look = Look(browser, tmp_path_factory.mktemp("state"), "--smp", "2")
    request.config.pluginmanager.register(look)
    yield look
    request.config.pluginmanager.unregister(look)
    look.close()


@pytest.fixture
def page(look):
    with look.page() as page:
        yield page


def prompt(page):
    """The terminal's lines, as a screen reader has them."""
    return page.locator('[data-tab="repl"] .xterm-accessibility-tree')


def until(page, text, place='[data-tab="repl"] .xterm-accessibility-tree'):
    """Waits for text, a pattern, in what a locator finds."""
    code = "([place, text]) => new RegExp(text).test((e => e?.innerText ?? e?.textContent ?? '')(document.querySelector(place)))"
    try:
        page.wait_for_function(code, arg=[place, text], timeout=WAIT)
    except Exception as error:
        raise AssertionError(f"waited for {text!r} in {place}") from error


def typed(page, line, answer):
    page.locator('[data-tab="repl"].screen textarea').focus()
    page.keyboard.type(line)
    page.keyboard.press("Enter")
    until(page, answer)


def picture(page, name):
    """Into build/pictures, from where `make pictures` copies it to docs: what git has is text. As light or dark as who reads."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    images = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        data = base64.b64encode(page.screenshot(animations="disabled")).decode()
        images.append(
            f'<image class="{scheme}" width="1280" height="800" href="data:image/png;base64,{data}"/>\n'
        )
    page.emulate_media(color_scheme="light")
    (PICTURES / f"{name}.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1280 800" width="1280" height="800">\n'
        "<style>.dark { display: none } @media (prefers-color-scheme: dark) "
        "{ .dark { display: inline } .light { display: none } }</style>\n"
        f"{''.join(images)}</svg>\n"
    )


def click(page, code):
    """The button that types this."""
    page.locator(f"button[data-type='{code}']").first.click()


def starts(page):
    click(page, "vm.start()")
    page.wait_for_selector("section.vm.runs")


def stops(page):
    """Whether it ran or not."""
    page.wait_for_selector("section.vm")
    if page.locator("section.vm.runs").count():
        click(page, "vm.pause()")
    page.wait_for_selector("section.vm.stopped")


def number(page, place):
    return int(page.locator(place).inner_text().replace(",", ""))


def test_a_guest_runs_with_nothing_typed(page):
    """From the first view: the picture moves, exits rise, and two clicks lead to where they come from."""
    page.wait_for_selector("section.vm.runs .cpu >> nth=1")
    until(page, r"vm\.start\(\)\s+>>>")
    until(page, r"\w+(\+0x\w+)?", ".cpu code.pc")
    place = '[data-exits="HVC"]'
    page.wait_for_selector(place)
    before = number(page, place)
    page.wait_for_function(
        "([at, n]) => Number(document.querySelector(at).innerText.replace(/,/g, '')) > n",
        arg=[place, before + 50],
    )
    assert page.locator("#chart canvas").evaluate("canvas => canvas.clientHeight") > 100
    until(page, "native[\\s\\S]*Python", "table.answers")
    picture(page, "look")
    page.locator("section.vm").get_by_role("button", name="hot addresses").click()
    page.locator("#panel").get_by_role("button", name="Count").click()
    until(page, r"hvc[^\n]*0x4008\w+\s+\d", "#panel table")
    until(page, r'counts1 = vm\.count\("exit irq"\)')  # the click's Python, at the prompt


def test_the_prompt_and_a_console(page):
    typed(page, "6 * 7", r"\n\s*42\s*\n")
    # MicroPython's own line editor takes ASCII only.
    typed(page, r"print('\u00e4\u20ac\U0001f40d')", "\n\\s*\u00e4\u20ac\U0001f40d")
    page.get_by_role("tab", name="pulse").click()
    until(page, r"beat \d+, sensor says 2\d", ".screen:not([hidden]) .xterm-accessibility-tree")
    page.keyboard.press("Alt+1")
    page.wait_for_selector('.screen[data-tab="repl"]:not([hidden])')


def test_a_breakpoint_by_clicks(page):
    page.locator("section.vm").get_by_role("button", name="hot addresses").click()
    until(page, "break|Count", "#panel")
    if page.locator("button[data-type*='.count(\"exit']").count():
        page.locator("button[data-type*='.count(\"exit']").click()
    page.locator("#panel tr", has_text="read_sensor").locator("[data-view-explain]").first.click()
    until(page, r"read_sensor[\s\S]*stage 2: ..x normal[\s\S]*vm\.on\(", "#panel .why")
    page.locator("#panel tr", has_text="read_sensor").get_by_role(
        "button", name="break"
    ).first.click()
    page.wait_for_selector("section.vm.stopped")
    until(page, r"read_sensor", ".cpu code.pc")
    page.keyboard.press("Alt+b")
    until(page, r"read_sensor\S*\s+1\b", "#panel")
    click(page, "vm.breaks()[0].remove()")
    page.wait_for_selector("#panel form")
    starts(page)
    page.locator("#panel input").first.fill("report")
    page.keyboard.press("Enter")
    page.wait_for_selector("section.vm.stopped")
    click(page, "vm.breaks()[0].remove()")
    until(page, "No breakpoints", "#panel")
    page.locator("#panel input").last.fill("sink")
    page.keyboard.press("Enter")
    until(page, r"sink, 8 bytes, rw", "#panel")
    starts(page)
    until(page, r"sink, 8 bytes, rw\s+[1-9]", "#panel")
    click(page, "vm.watches()[0].remove()")
    page.wait_for_selector("button[data-type='vm.watches()[0].remove()']", state="detached")


def test_who_answers(page):
    """By tier, with what it costs; why, and a rule of it; and an exit as it travels, slowly."""
    until(page, r"native\s+PSCI, in C\s+HVC\s+[\d.,]+\s+\d+\s[\s\S]*Python", "table.answers")
    page.get_by_role("button", name="chart by answerer").click()
    until(page, "native[\\s\\S]*Python", "#chart .u-legend")
    page.locator("#panel table [data-view-why='class HVC']").click()
    until(page, r"HVC #0x0[\s\S]*answered by: PSCI", "#panel .why")
    page.locator("#panel .why button", has_text="count by a rule").click()
    page.keyboard.press("Alt+b")
    until(page, r"rule1\s+[1-9]\d*\s+rule", "#panel")
    until(page, r"[1-9]\d*/s", ".tiers .rules")
    click(page, "rule1.remove(); del rule1")
    page.wait_for_selector("button[data-type^='rule1.remove']", state="detached")
    page.get_by_role("button", name="slow motion").click()
    for words in ("^1: vCPU", "^2: core . enters EL2 at VBAR_EL2", "^3: (native|rules|Python)"):
        until(page, words, ".story")
    assert page.locator(".tiers .lit, .lane i").count()
    until(page, "^4: ERET", ".story")


def test_the_way_to_el1(page):
    stops(page)
    page.keyboard.press("Alt+l")
    for step in range(1, 8):
        page.get_by_role("button", name="next step").click()
        until(page, f"{step} of 7", "#panel")
        until(page, "0x" if step > 3 else "undefined", "[data-reg=ELR_EL2]")
        until(page, "RW=1" if step > 1 else "old value", "[data-reg=HCR_EL2]")
        assert page.locator("#panel .el2.here").count() == (step < 7)
    click(page, "vm.cpu[0].step()")
    until(page, "Exit step: cpu 0")
    starts(page)


def test_the_first_hour(page):
    """A click, or Alt+N, types the page's next statement, of one line or more; what it prints is at the prompt."""
    page.keyboard.press("Alt+f")
    assert page.evaluate("new Set([...panels.children].map(tab => tab.offsetTop)).size") == 1
    until(page, "1. Where am I[\\s\\S]*fourteen instructions", "#panel")
    page.locator("#panel [aria-current=step]").click()
    page.wait_for_selector("#panel [aria-current=step][data-type='hv.demo()']")
    page.keyboard.press("Alt+n")
    until(page, "python: 42, says EL2 to cpu 0[\\s\\S]*>>>")
    page.wait_for_selector("#panel [aria-current=step][data-type^='from hv.demo']")
    page.keyboard.press("Alt+n")
    until(page, ">>> from hv.demo import _CODE, _TEXT\\s*>>>")
    page.wait_for_selector("#panel .done >> nth=2")
    page.locator("#panel .lessons button", has_text="3. A guest").click()
    for n in range(2):
        page.wait_for_selector(f"#panel [aria-current=step][data-view-line='{n + 1}']")
        page.keyboard.press("Alt+n")
    until(page, r">>> def guest[\s\S]*\.\.\. +return vm\s+\.\.\.\s+>>>")
    page.wait_for_selector("#panel [aria-current=step][data-type^='vm = guest']")


def test_a_trace_is_for_perfetto(page):
    page.keyboard.press("Alt+t")
    until(page, r"exits of the last[\s\S]*vCPU 1", "#panel svg")
    click(page, 't1 = vm.trace("exit irq sched", "256K")')
    until(page, "ui.perfetto.dev", "#panel")

    def file():
        with page.expect_download() as download:
            page.locator("#panel a", has_text="perfetto").click()
        return json.loads(Path(download.value.path()).read_text())["traceEvents"]

    end, events = time.monotonic() + WAIT / 1000, file()
    while not any(each["name"] == "psci PSCI_VERSION" for each in events):
        assert time.monotonic() < end, events
        events = file()
    assert {"vCPU 0", "vCPU 1"} <= {each["args"].get("name") for each in events if "args" in each}
    click(page, "t1.stop(); del t1")
    page.wait_for_selector("#panel a", state="detached")


def test_back_in_time(page):
    stops(page)
    page.get_by_role("tab", name="Time").click()
    click(page, "s1 = vm.snapshot()")
    page.wait_for_selector("button[data-type='vm.back(s1)']")
    page.keyboard.press("Alt+m")
    until(page, "written since s1", "#panel svg ~ svg")
    page.keyboard.press("Alt+t")
    typed(page, "there = vm.cpu[0].pc, vm.cpu[0].x[0]; vm.cpu[0].x[0] = 7", ">>>")
    starts(page)
    click(page, "vm.back(s1)")
    click(page, "vm.pause()")
    page.wait_for_selector("section.vm.stopped")
    click(page, "vm.back(s1)")
    typed(page, "(vm.cpu[0].pc, vm.cpu[0].x[0]) == there, 'then'", r"True, 'then'")
    click(page, "s1.drop()")
    page.wait_for_selector("button[data-type='s1 = vm.snapshot()']")
    starts(page)


def test_registers_and_memory(page):
    page.keyboard.press("Alt+r")
    until(page, "is running: vm.pause|HCR_EL2", "#panel")
    stops(page)
    until(page, r"HCR_EL2[\s\S]*VM=1[\s\S]*SPSR_EL2[\s\S]*ELR_EL2[\s\S]*SP_EL1", "#panel .eret")
    click(page, "vm.cpu[0].step()")
    page.wait_for_selector("#panel .changed")
    page.keyboard.press("Alt+m")
    until(page, "stage 2 of pulse[\\s\\S]*0x000040080000", "#panel svg")
    page.locator("form[data-show] input").fill("0x4010_0000")
    page.keyboard.press("Enter")
    until(page, r"0x40100000\s+(00 ?){16}", "#panel .hex")
    page.locator("form[data-kind=bytes] input").fill("a5 1")
    page.locator("[data-view-byte='0x40100001']").click()
    until(page, "bytes from 0x40100001", "form[data-kind=bytes]")
    page.locator("form[data-kind=bytes] input").focus()
    page.keyboard.press("Enter")
    until(page, r"0x40100000\s+00 a5 01 00", "#panel .hex")
    until(page, "touched", "#panel svg ~ svg")
    page.get_by_role("button", name="EL2", exact=True).click()
    until(page, "EL2[\\s\\S]*0x000040000000", "#panel svg")
    starts(page)


def test_a_form_is_its_writers(page):
    """Updates come, four a second and with other text each: the element, the focus, the caret and what is written stay."""
    page.wait_for_selector("section.vm.runs")
    page.keyboard.press("Alt+m")
    field = page.locator("form[data-show] input")
    field.press_sequentially("0x4010100", delay=50)
    page.keyboard.press("ArrowLeft")
    page.evaluate(
        "() => { begun = document.activeElement; seen = [];"
        "new MutationObserver(all => seen.push(all.length)).observe("
        "document.getElementById('picture'), {subtree: true, childList: true, characterData: true}); }"
    )
    page.wait_for_function("() => seen.length > 4")
    page.keyboard.type("8")
    field = page.evaluate(
        "begun === document.activeElement && [begun.value, begun.selectionStart]"
    )
    assert field == ["0x40101080", 9]
    page.keyboard.press("Enter")
    until(page, "0x40101080", "#panel .hex")
    assert page.evaluate("begun === document.activeElement")


def test_a_slow_click(page):
    """The page is made anew under a finger that is still on a button, and a selection stays selected."""
    page.wait_for_selector("section.vm.runs")
    page.get_by_role("button", name="hot addresses").hover()
    page.mouse.down()
    page.wait_for_timeout(1000)  # four updates
    page.mouse.up()
    page.wait_for_selector("#chart[hidden]", state="attached")


def test_two_pages(page, look):
    typed(page, "'one'", "'one'")
    with look.page(color_scheme="dark") as other:
        until(other, "'one'")  # what was said before it was opened
        typed(other, "'two'", "'two'")
        until(page, "'two'")
        dark = other.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != page.evaluate("getComputedStyle(document.body).backgroundColor")
    typed(page, "'three'", "'three'")  # and it is closed


def test_only_for_who_has_the_address(look):
    """No token, another's origin, another name for the host (DNS rebinding): nothing."""
    url = urllib.parse.urlsplit(look.address)
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="

    def status(path, **headers):
        line = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        line.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        return line.getresponse().status

    assert status(url.path) == 200
    for path in ("/", "/live", "/static/look.js", "/" + "x" * 32 + "/", url.path[:-2] + "/"):
        assert status(path) == 403, path
    assert status(url.path, Host="evil.example") == 403
    assert status(url.path, Origin="http://evil.example") == 403
    own = f"http://{url.netloc}"
    assert status(url.path + "live", Origin=own, **upgrade) == 101
    assert status(url.path + "live", Origin="http://evil.example", **upgrade) == 403
    assert status(url.path + "live", Origin="null", **upgrade) == 403
    assert status(url.path + "live", **upgrade) == 403
    assert status(url.path + "../../etc/passwd") in (403, 404)


def test_a_target_that_is_reset_or_ends(page):
    """A soft reset, and a machine that is switched off: the page says so, and goes on."""
    page.wait_for_selector("section.vm")
    page.locator('[data-tab="repl"].screen textarea').focus()
    page.keyboard.press("Control+d")
    until(page, "soft reboot")
    page.wait_for_selector("text=No VM at the prompt")
    typed(page, "import hv; mine = hv.VM('mine', ram='1M')", ">>>")
    page.get_by_role("tab", name="mine").wait_for()
    typed(page, "hv.poweroff()", "hv")
    page.wait_for_selector("#restart:visible")
    page.locator("#restart").click()
    page.wait_for_selector("section.vm.runs")
    until(page, r"vm\.start\(\)\s+>>>")


@pytest.mark.long
def test_ten_minutes_of_linux_under_load(image, browser, tmp_path):
    """The page stays alive: it is asked and answers, exits rise, and the prompt is there."""
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud"], check=True)
    disk = ROOT / "build/guests-debian/6.1-cloud"
    look = Look(browser, tmp_path, "--smp", "2", "--mem", "1G", "--disk", str(disk))
    try:
        with look.page() as page:
            page.wait_for_selector("section.vm.runs")
            until(page, r"vm\.start\(\)\s+>>>")
            typed(page, "vm.close(); linux = hv.VM('linux', ram='512M', cpus=2)", ">>>")
            options = "initrd='/disk/initrd.gz', cmdline='console=ttyAMA0 quiet'"
            typed(
                page,
                f"linux.linux('/disk/vmlinuz', {options}); linux.start(); 'begun'",
                "'begun'\\s+>>>",
            )
            page.get_by_role("tab", name="linux").click()
            tree = ".screen:not([hidden]) .xterm-accessibility-tree"
            until(page, "/ #", tree)
            page.locator(".screen:not([hidden]) textarea").focus()
            load = "while :; do dd if=/dev/zero of=/x bs=64k count=200; sha256sum /x; done 2>&1 &"
            page.keyboard.type(load + "\n")
            until(page, "  /x", tree)
            end, before = time.monotonic() + 600, 0
            while time.monotonic() < end:
                page.wait_for_timeout(10_000)
                cells = page.locator("[data-exits]").all_inner_texts()
                total = sum(int(text.replace(",", "")) for text in cells)
                assert total > before
                before = total
                page.keyboard.press("Alt+1")
                typed(page, f"{total} + 1", str(total + 1))
    finally:
        look.close()
