# SPDX-License-Identifier: MIT
"""docs/tools.md: other people's tools on the prompt of `elapid serve`, each in a .venv of its own, from PyPI."""

import os
import subprocess
import sys

import pytest
from harness import ROOT
from test_host_tools import ELAPID, run, serving

NOTEBOOK = """
import sys, nbformat
from nbclient import NotebookClient
made = nbformat.v4.new_notebook()
made.cells = [nbformat.v4.new_code_cell(text) for text in sys.argv[2:]]
NotebookClient(made, timeout=300, kernel_name=sys.argv[1], allow_errors=True).execute()
for cell in made.cells:
    print("".join(str(o.get("text", "")) + str(o.get("evalue", "")) for o in cell.outputs))
    print("-----")
"""
CELLS = (
    "import hv\nprint(hv.platform()['boot_el'])",
    "vm = hv.VM('mine', ram='1M')\nprint(vm)",
    "for i in range(3):\n    print('line', i)",
    "1 // 0",
)


@pytest.fixture(scope="module")
def pty(image, tmp_path_factory):
    with (
        serving(tmp_path_factory.mktemp("state")) as (env, line),
        pytest.MonkeyPatch.context() as here,
    ):
        here.setenv("ELAPID_STATE", env["ELAPID_STATE"])
        yield line


@pytest.fixture
def installed(tmp_path):
    def install(*packages):
        """The folder of a new environment's programs."""
        subprocess.run([sys.executable, "-m", "venv", tmp_path / "v"], check=True)
        pip = [tmp_path / "v/bin/python", "-m", "pip", "-qq", "install", *packages]
        subprocess.run(pip, check=True, timeout=900)
        return tmp_path / "v/bin"

    return install


@pytest.mark.long
def test_thonny(pty, installed):
    """Its own backend has the prompt; without Thonny it is told what is missing."""
    bin = installed("thonny==5.0.1")
    status, said, errors = run(
        [*ELAPID, "thonny", "--check"], {"PATH": f"{bin}:{os.environ['PATH']}"}
    )
    assert status == 0 and said == f"elapid: Thonny has the prompt at {pty}\n", said + errors


def test_without_thonny(tmp_path):
    """Nothing is started for it."""
    env = {"PATH": "/usr/bin:/bin", "ELAPID_STATE": str(tmp_path)}
    status, said, errors = run([*ELAPID, "thonny"], env)
    if status != 1 or "Thonny is not installed: pip install thonny" not in errors:
        pytest.skip("there is a Thonny here")
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_rshell(pty, installed):
    bin = installed("rshell==0.0.36", "setuptools<80")
    run([sys.executable, "-m", "mpremote", "connect", pty, "exec", "pass"])  # leaves it at >>>
    command = [bin / "rshell", "-p", pty, "--quiet"]
    assert "Unable" not in run([*command, "cp", ROOT / "LICENSE", "/pyboard/l"])[1]
    assert "l" in run([*command, "ls", "/pyboard"])[1].split()


@pytest.mark.long
@pytest.mark.parametrize(
    "package, kernel, first, before",
    [
        ("jupyter-micropython-extended-kernel==2025.1.2", "micropython-extended", (), ""),
        (
            "micropython-magic==0.10.2",
            "python3",
            ("%load_ext micropython_magic",),
            "%%micropython\n",
        ),
    ],
)
def test_jupyter(pty, installed, package, kernel, first, before):
    """Numbers, objects that stay from cell to cell, and an exception."""
    bin = installed(package, "nbclient", "nbformat", "ipykernel", "colorama")
    if before:
        first = (*first, f"%mpy --select {pty}")
    else:
        install = [bin / "python", "-m", "jupyter_micropython_extended_kernel.install"]
        subprocess.run([*install, "--prefix", bin.parent], check=True)
        first = (f"%serialconnect --port={pty}",)
    cells = [*first, *[before + each for each in CELLS]]
    status, said, errors = run([bin / "python", "-c", NOTEBOOK, kernel, *cells])
    shown = said.replace("\r", "").split("-----\n")[len(first) :]
    assert status == 0 and shown[0].strip() == "2", said + errors
    assert shown[1].startswith("<VM mine: 1 cpus"), said
    assert shown[2].split() == ["line", "0", "line", "1", "line", "2"], said
    assert "ZeroDivisionError: divide by zero" in shown[3], said
