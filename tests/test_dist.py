# SPDX-License-Identifier: MIT
"""make dist: what somebody without the source tree has."""

import os
import subprocess
import sys
import zipfile

import elapid
from harness import ROOT

USES = """
import elapid, elapid.image
assert "site" in elapid.__file__ and "site" in str(elapid.image.find()), elapid.__file__
with elapid.Target(gic=3) as target:
    print(target.module("hv").__version__, target.module("hv").demo())
"""


def run(command, **options):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=600, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_wheel_that_runs(image, tmp_path):
    run([sys.executable, ROOT / "tools/dist.py"], cwd=ROOT)
    dist, version = ROOT / "dist", elapid.__version__
    names = {"hypervisor.bin", "hypervisor.elf", "SHA256SUMS"}
    names |= {f"elapid-{version}-py3-none-any.whl", f"elapid-stubs-{version}.zip"}
    assert {path.name for path in dist.iterdir()} == names
    assert run(["sha256sum", "-c", "SHA256SUMS"], cwd=dist).count(": OK") == 4
    with zipfile.ZipFile(dist / f"elapid-stubs-{version}.zip") as stubs:
        assert {"hv/__init__.pyi", "machine.pyi"} <= set(stubs.namelist())
    (wheel,) = dist.glob("*.whl")
    site = tmp_path / "site"
    run([sys.executable, "-m", "pip", "-qq", "install", "--no-deps", "--target", site, wheel])
    env = os.environ | {"PYTHONPATH": str(site)}
    said = run([sys.executable, "-c", USES], cwd=tmp_path, env=env)
    first_hour = site / "elapid/data/first-hour.md"  # what `elapid look` plays
    assert first_hour.read_text() == (ROOT / "docs/first-hour.md").read_text()
    assert said.startswith(f"{version} "), said
    # The command's first use: nothing of it is there yet, no folder for its state either.
    (tmp_path / "first.py").write_text("import hv; print(hv.VM('mine', ram='1M'))")
    env |= {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    env.pop("ELAPID_STATE", None)
    command = [site / "bin/elapid", "run", "first.py"]
    assert "<VM mine: " in run(command, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL)
    assert run([site / "bin/elapid", "--version"], cwd=tmp_path, env=env) == f"elapid {version}\n"
