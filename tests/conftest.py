# SPDX-License-Identifier: MIT
"""Fixtures: machines that run Elapid, booted once per module and fresh for each test."""

import fcntl
import os

import pytest
from elapid.pytest_plugin import pytest_runtest_makereport  # noqa: F401
from harness import ROOT, Target, Terminal

# Programs that tests start have the package `elapid` of this tree.
os.environ["PYTHONPATH"] = str(ROOT / "tools")

MACHINES = [
    pytest.param({"gic": gic, "smp": smp}, id=f"gicv{gic}-smp{smp}")
    for smp in (1, 4)
    for gic in (2, 3)
]


@pytest.fixture(scope="session")
def image():
    """The built hypervisor's path."""
    path = ROOT / "hypervisor.elf"
    if not path.exists():
        pytest.exit(f"{path} is not built: run make", returncode=2)
    return path


@pytest.fixture(scope="module")
def _machine(image):
    machine = Target()
    yield machine
    machine.close()


@pytest.fixture
def target(_machine):
    """A machine with GICv2 and one core, at its prompt; one boot per module."""
    return _machine.fresh()


@pytest.fixture(scope="module", params=MACHINES)
def _each_machine(request, image):
    machine = Target(**request.param)
    yield machine
    machine.close()


@pytest.fixture
def each_target(_each_machine):
    """The same on GICv2 and GICv3, with one core and with four: the test runs four times."""
    return _each_machine.fresh()


@pytest.fixture
def boot(image):
    """boot(gic=3, mem="4G", ...): a machine of the test's own, waiting at its first prompt."""
    machines = []

    def boot(**options):
        machines.append(Target(**options))
        return machines[-1].boot()

    yield boot
    for machine in machines:
        machine.close()


@pytest.fixture
def terminal():
    """terminal(command...): a program started on a terminal, to be typed at."""
    opened = []

    def start(*command):
        opened.append(Terminal(*command))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


# Files whose tests start or stop what `make serve` and `make debug` do: there is one of each in a tree.
SERVE = ("test_boards", "test_commands", "test_docs", "test_host_tools", "test_look")


@pytest.fixture(scope="module", autouse=True)
def _served(request):
    """One of them at a time, also under pytest-xdist (make test WORKERS=2)."""
    if request.path.stem not in SERVE:
        yield
        return
    with open(ROOT / "build/serve.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pytest_collection_modifyitems(config, items):
    """Tests marked `long` run only when they are asked for: -m long."""
    if "long" not in config.option.markexpr:
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
