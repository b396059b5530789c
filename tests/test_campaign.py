# SPDX-License-Identifier: MIT
"""elapid fuzz: one guest on many targets; who dies on the way loses nothing."""

import dataclasses
import importlib
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from elapid import campaign, fuzzjob
from elapid.findings import Findings
from elapid.fuzzjob import Plan
from elapid.say import Stop
from harness import ROOT
from test_host_tools import ELAPID, run

GUESTS = ROOT / "build/guests"
SEED = b"ELn\x05hellow\x01\x03n\x03*abz\x01 "
COMMON = {"at": "parse", "put": ("x0", "x1"), "max": 256, "instructions": 100_000}
ROUNDS = 2500


@pytest.fixture
def plan(image):
    options = COMMON | {"cover": "map", "map": "coverage_map"}
    guest = (GUESTS / "parsermap.elf").read_bytes()
    return Plan("parsermap.elf", guest, options, "4M", machine={"icount": True})


def findings(path):
    made = Findings(path, 256)
    made.give(SEED, "seed")
    return made


def complete(made, rounds=ROUNDS):
    """Each job was merged, once; and what is in the directory is what was found."""
    seeds = [seed for seed, _ in made.jobs]
    assert sorted(seeds) == [campaign.SPREAD + n for n in range(made._begun)], made.jobs
    assert made.findings.rounds == sum(size for _, size in made.jobs) >= rounds
    path = made.findings.path
    queue = [file.read_bytes() for file in sorted((path / "queue").iterdir())]
    assert queue == list(made.findings.corpus) and len(set(queue)) == len(queue) > 10
    known = json.loads((path / "elapid.json").read_text())["found"]
    assert len(known) == len(list((path / "crashes").iterdir())) + len(
        list((path / "hangs").iterdir())
    )
    assert f"execs_done        : {made.findings.rounds}\n" in (path / "fuzzer_stats").read_text()


def test_a_target_dies(plan, tmp_path, monkeypatch):
    """In the midst of a job, which is done again on a new one. And a job done again finds the same."""
    killed, bring = [], fuzzjob.Bench._bring

    def bring_and_die(bench, inputs):
        bring(bench, inputs)
        if made.jobs and not killed:
            killed.append(bench)
            bench.target.qemu.kill()

    monkeypatch.setattr(fuzzjob.Bench, "_bring", bring_and_die)
    with campaign.local(2, plan.campaign) as workers:
        made = campaign.Campaign(plan, findings(tmp_path), workers)
        made.run(ROUNDS)
        assert killed and killed[0] not in fuzzjob._benches
        complete(made)
        again = [workers.executor.submit(fuzzjob.do, plan, (SEED,), 7, 300) for _ in range(2)]
        first, second = [dataclasses.replace(each.result(), seconds=0) for each in again]
        assert first == second and first.rounds == 300 and first.corpus
    assert not fuzzjob._benches
    with pytest.raises(Stop, match="the campaign has ended"):
        fuzzjob.do(plan, (), 1, 1)


@pytest.fixture
def distributed():
    """Dask's package, which nothing else needs: installed when it is not there."""
    subprocess.run([sys.executable, ROOT / "tools/setup.py", "campaign"], check=True)
    importlib.invalidate_caches()
    return importlib.import_module("distributed")


def test_a_worker_dies(plan, tmp_path, monkeypatch, distributed):
    """Two Dask workers on this machine, one killed with its target at work: the other does what it was at."""
    dask = Path(sys.executable).with_name("dask")
    where = tmp_path / "scheduler.json"
    local = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", where]
    started = []

    def start(*words):
        with open(tmp_path / "log", "a") as log:
            command = list(map(str, [dask, *words]))
            started.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path))

    try:
        start("scheduler", "--port", 0, *local)
        for name in ("one", "two"):
            more = ["--no-nanny", "--nthreads", 1, "--name", name, "--local-directory", tmp_path]
            start("worker", *local, *more)
        with distributed.Client(
            scheduler_file=str(where), timeout=120, set_as_default=False
        ) as client:
            client.wait_for_workers(2, timeout=120)
            at = client.scheduler.address

        def kill():
            # The first to have merged something has its next job by now.
            if made.jobs and started[1].poll() is None:
                started[1].kill()
                started[1].wait()

        with campaign.dask(at, None, plan.campaign) as workers:
            assert workers.count == 2
            made = campaign.Campaign(plan, findings(tmp_path / "out"), workers)
            made.run(ROUNDS, show=kill)
            assert started[1].poll() is not None and started[2].poll() is None
            complete(made)
    finally:
        for each in reversed(started):  # their targets have gone with the campaign
            each.kill()
            each.wait(60)
    monkeypatch.setattr(campaign, "DASK_SECONDS", 1)
    with pytest.raises(Stop, match="no Dask scheduler at "):
        with campaign.dask("127.0.0.1:9", 1, "x"):
            pass


def test_the_command(image, tmp_path):
    """As many targets as are asked for, AFL++'s directory, a drcov file; it goes on from what is there."""
    (tmp_path / "seed").write_bytes(SEED)
    out, words = tmp_path / "out", ["--at", "parse", "--put", "x0,x1", "--max", 256, "--ram", "4M"]
    command = [*ELAPID, "fuzz", GUESTS / "parser.elf", *words, "-o", out]
    crash = b"ELw\x02\xff\xff"
    (tmp_path / "bad").write_bytes(crash)
    given = ["-i", tmp_path / "seed", "-i", tmp_path / "bad"]
    cov = tmp_path / "x.cov"
    status, said, errors = run([*command, *given, "--targets", 2, "--rounds", 600, "--drcov", cov])
    assert status == 0 and "elapid: 2 targets" in said and "at word+0x" in said, said + errors
    assert cov.read_bytes().startswith(b"DRCOV VERSION: 2\nDRCOV FLAVOR: elapid\n")
    assert crash in {file.read_bytes() for file in (out / "crashes").iterdir()}
    count = len(list((out / "queue").iterdir()))
    known = json.loads((out / "elapid.json").read_text())["found"]
    known = {f"{each['reason']} at {each['where']}" for each in known}
    status, said, errors = run([*command, "--targets", 1, "--rounds", 100])
    told = set(re.findall(r"^elapid: (.* at .*): \d+ bytes, ", said, re.M))
    assert status == 0 and not told & known, said  # whatever else it finds
    assert len(list((out / "queue").iterdir())) >= count
    status, said, errors = run([*command, "--targets", 1, "--at", "nowhere"])
    assert status == 1 and "has no symbol" in errors, errors
    status, said, errors = run([*command, "--cover", "map", "--drcov", cov])
    assert status == 1 and errors == (
        "elapid: --drcov is of addresses, which --cover blocks and steps know\n"
    )
    assert threading.active_count() < 20
