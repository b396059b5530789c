# SPDX-License-Identifier: MIT
"""pytest's plugin: a target and a VM as fixtures, machines and guests as marks, consoles in failing reports.

    @pytest.mark.machine(gic=3, smp=4, memory="256M")
    @pytest.mark.guest("build/kernel.elf", ram="16M", cpus=4)
    def test_boots(vm):
        vm.run_until("ready")

One QEMU is kept a process, so that pytest-xdist has one a worker; a test finds it at a fresh prompt.
"""

import contextlib
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from .qemu import Qemu
from .target import Target
from .vm import VM, VmSession

MARKS = (
    "machine(gic=2, smp=1, cpu='cortex-a53', memory='128M', disk=None, args=()): QEMU's machine, and more words for it",
    "guest(path, ram='64M', cpus=1, trace=None, **load): what the fixture vm is, and has loaded: an ELF, Image or flat binary; trace: words of vm.trace(), whose last lines are in a failing report",
)
NAMES: dict[str, Callable[[str], Any]] = {"gic": int, "smp": int, "cpu": str, "memory": str}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("elapid").addoption(
        "--machine",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the machine of tests whose mark does not say: gic=3, smp=4, cpu=cortex-a72, memory=1G",
    )

    parser.getgroup("elapid").addoption(
        "--vm-trace",
        metavar="WHAT",
        help="vm.trace(WHAT) of each test's vm, its last lines in a failing report: 'exit sched'",
    )


def pytest_configure(config: pytest.Config) -> None:
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    for word in config.getoption("machine"):
        if word.partition("=")[0] not in NAMES:
            raise pytest.UsageError(f"--machine {word}: it is one of {', '.join(NAMES)}, and =")


class Rack:
    """Room for one machine."""

    def __init__(self) -> None:
        self.target: Target | None = None
        self.key: object = None

    def get(self, options: dict[str, Any], files: tuple[Path, ...]) -> Target:
        # A file that was built anew is another one: QEMU has read it at its start.
        key = (sorted(options.items()), [(path, path.stat().st_mtime_ns) for path in files])
        if self.target is None or key != self.key:
            self.close()
            self.target, self.key = Target(files=files, **options), key
        return self.target.fresh()

    def close(self) -> None:
        if self.target:
            self.target.close()
        self.target = None


@pytest.fixture(scope="session")
def _elapid_rack() -> Iterator[Rack]:
    rack = Rack()
    yield rack
    rack.close()


@pytest.fixture
def target(request: pytest.FixtureRequest, _elapid_rack: Rack) -> Target:
    """The machine of this test's marks, at its prompt: an elapid.Target."""
    options = {}
    for word in request.config.getoption("machine"):
        name, _, value = word.partition("=")
        options[name] = NAMES[name](value)
    for mark in reversed(
        list(request.node.iter_markers("machine"))
    ):  # the closest has the last word
        options |= mark.kwargs
    if "memory" in options:
        options["mem"] = options.pop("memory")
    guest = _guest(request)
    return _elapid_rack.get(options, (guest[0],) if guest else ())


@pytest.fixture
def vm(request: pytest.FixtureRequest, target: Target) -> VM:
    """The guest of this test's mark, ready to run: an elapid.VM, called vm at the target's prompt too."""
    guest = _guest(request)
    if guest is None:
        return target.vm("vm")
    path, options = guest
    made = target.vm("vm", **{key: options.pop(key) for key in ("ram", "cpus") if key in options})
    trace = options.pop("trace", None) or request.config.getoption("vm_trace")
    made.load(path, **options)
    if trace:
        made.trace(trace, "16K")
    return made


def _guest(request: pytest.FixtureRequest) -> tuple[Path, dict[str, Any]] | None:
    """The file, sought beside the test, then from pytest's root; and the mark's options."""
    mark = request.node.get_closest_marker("guest")
    if mark is None:
        return None
    (name,) = mark.args
    for folder in (request.path.parent, request.config.rootpath):
        if (folder / name).is_file():
            return (folder / name).resolve(), dict(mark.kwargs)
    raise pytest.UsageError(f"guest({str(name)!r}): no such file; is it built?")


def sections(machine: Qemu) -> list[tuple[str, str]]:
    """What is told of a machine when a test has failed."""
    shown: list[tuple[str, str]] = []
    if isinstance(machine, VmSession):
        for guest in machine.vms.values():
            # Whatever is wrong with the machine must not keep the report.
            with contextlib.suppress(Exception):
                shown += guest.post_mortem()
    return shown + [(title, _without_polls(text)) for title, text in machine.post_mortem()]


def _without_polls(log: str) -> str:
    """What the target said, without the raw REPL's answers to a stream that waited for its guest."""
    return re.sub(
        r">?R\x01..[\x01\x04]*\x02\(b(['\"]).*?\1,(True|False),\)\x1f?\r?\n\x04\x04", "", log
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test's report shows what each running machine and its guests said, and where they are."""
    report = yield
    if report.failed:
        for machine in list(Qemu.live):
            report.sections += sections(machine)
    return report
