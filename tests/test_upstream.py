# SPDX-License-Identifier: MIT
"""MicroPython's own tests, from the source Elapid is built from, on the target over its pty.

`make test-upstream` runs this and shows every file's result. What is skipped, and why, is in
upstream_skips.txt: the test fails when that is not exactly what was skipped.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness import ROOT, Target

# What run-tests.py takes on a board by itself, and four more that a target with files can run.
BOARD = ("basics", "extmod", "float", "micropython", "misc")
MORE = ("import", "io", "stress", "unicode")
PERFORMED = 798  # files of BOARD that must run
PERFORMED_AS_NATIVE = 780  # of BOARD and stress

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    # Their tools of later versions stop at an architecture number that they do not know, which this port's is.
    pytest.mark.skipif("MICROPY_DIR" in os.environ, reason="upstream's tests are those of 1.26.1"),
]


def listed(excluded, native=False):
    """The files of upstream_skips.txt whose reason says that they are not tried, or the others.

    Those under a reason that begins with "Native: " are skipped when compiled to native code, in addition.
    """
    files, wanted = set(), False
    for line in (ROOT / "tests/upstream_skips.txt").read_text().splitlines():
        if not line.startswith(" "):
            wanted = line.startswith("Excluded: ") == excluded and (
                native or not line.startswith("Native: ")
            )
        elif wanted:
            files.add(line.strip())
    return files


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    """A copy of MicroPython's tests: they are run in their folder, and some write there."""
    source = Path(os.environ.get("MICROPY_DIR") or ROOT / "build/micropython")
    folder = tmp_path_factory.mktemp("upstream")
    for name in (*BOARD, *MORE, "feature_check", "perf_bench", "internal_bench"):
        shutil.copytree(source / "tests" / name, folder / "tests" / name)
    for script in source.glob("tests/run-*.py"):
        shutil.copy(script, folder / "tests")
    shutil.copytree(source / "tools", folder / "tools")
    return folder / "tests"


@pytest.fixture(scope="module")
def machine(image, upstream):
    """A machine with the files that io, unicode and import want in the current folder. Its clock counts instructions:
    tests that ask who comes first, within milliseconds, do not depend on the host's load.
    """
    machine = Target(icount=True).boot()
    files = [file for file in (upstream / "import").rglob("*") if file.is_file()]
    files = [(file, file.relative_to(upstream / "import")) for file in files]
    data = [*(upstream / "io/data").iterdir(), *(upstream / "unicode/data").iterdir()]
    files += [(file, Path("data") / file.name) for file in data]
    for folder in sorted({parent for _, path in files for parent in path.parents} - {Path()}):
        machine.exec(f"import os; os.mkdir({str(folder)!r})")
    for file, path in files:
        machine.exec(f"with open({str(path)!r}, 'wb') as f: f.write({file.read_bytes()!r})")
    yield machine
    machine.close()


def run(machine, upstream, script, option, *arguments, seconds=500):
    """What the script printed."""
    done = subprocess.run(
        [sys.executable, script, option, machine.lend(), *arguments],
        cwd=upstream,
        env=os.environ
        | {"MICROPY_CPYTHON3": sys.executable, "PYTHONDONTWRITEBYTECODE": "1"}
        | {"MICROPY_MPYCROSS": str(ROOT / "build/mpy-cross/mpy-cross")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        text=True,
    )
    print(done.stdout)
    return done.stdout


def outcomes(said):
    """The files that passed, failed, were skipped."""
    lines = re.findall(r"(?m)^(pass|FAIL|skip|lrge) +(\S+)", said)
    return (
        {file for how, file in lines if how in ways}
        for ways in (("pass",), ("FAIL",), ("skip", "lrge"))
    )


def patiently(machine, upstream, how, arguments, seconds=500):
    """What passed, and was skipped. What failed is tried twice more: the host's own clock has a deadline for each."""
    passed, failed, skipped = outcomes(
        run(machine, upstream, "run-tests.py", "-t", *how, *arguments, seconds=seconds)
    )
    for _ in range(2):
        if failed:
            again = sorted(failed)
            more, failed, _ = outcomes(run(machine, upstream, "run-tests.py", "-t", *how, *again))
            passed |= more
    assert not failed
    return passed, skipped


AS_NATIVE = ("--via-mpy", "--emit", "native")


def whole(machine, upstream, folders, how=(), seconds=1000):
    """All files of the folders: those that passed. None may fail, and what is skipped is what is listed."""
    exclude = [word for file in listed(excluded=True) for word in ("-e", f"^{re.escape(file)}$")]
    passed, skipped = patiently(machine, upstream, how, ("-d", *folders, *exclude), seconds)
    expected = listed(False, native=bool(how))
    assert skipped == {file for file in expected if file.split("/")[0] in folders}
    return passed


@pytest.mark.long
def test_suite(machine, upstream):
    passed = whole(machine, upstream, (*BOARD, *MORE))
    assert len([file for file in passed if file.split("/")[0] in BOARD]) >= PERFORMED


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_suite_as_native_code(machine, upstream):
    """All of it once more, each file compiled by mpy-cross to native code."""
    passed = whole(machine, upstream, (*BOARD, "stress"), AS_NATIVE, 3000)
    assert len(passed) >= PERFORMED_AS_NATIVE


def sample(machine, upstream, every, first, how=(), always=()):
    """Every so many-th file of each folder, the same at any time, and those that are named. The whole is what
    `make test-upstream` and `make test-long` run.
    """
    files = set()
    for folder in (*BOARD, "stress") if how else (*BOARD, *MORE):
        names = sorted(f"{folder}/{file.name}" for file in (upstream / folder).glob("*.py"))
        files |= {*names[first::every], *(name for name in names if name.startswith(always))}
    files -= listed(excluded=True)
    passed, skipped = patiently(machine, upstream, how, sorted(files))
    assert skipped == listed(False, native=bool(how)) & files
    assert passed == files - skipped


def test_sample(machine, upstream):
    sample(machine, upstream, 6, 0)


def test_sample_as_native_code(machine, upstream):
    """And all that is about native code."""
    sample(machine, upstream, 9, 1, AS_NATIVE, ("micropython/native", "micropython/viper"))


def test_benchmarks(machine, upstream):
    said = run(machine, upstream, "run-perfbench.py", "-pd", "-a1", "100", "100")
    assert "24 tests passed" in said and "failed" not in said
    said = run(machine, upstream, "run-internalbench.py", "-t", "-I", "2000")
    assert "65 individual testcases" in said and " -1.000s" not in said
