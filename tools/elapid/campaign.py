# SPDX-License-Identifier: MIT
"""Many targets that fuzz one guest: on this machine's cores, or on Dask's workers on as many machines as there are.

Each job has all that was found by then, and its own seed. What it finds is merged; one whose worker or target died is done
again by another, with the same arguments, which finds the same (fuzzjob.py).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from . import fuzzjob
from .findings import Findings
from .fuzzjob import Crash, Found, Plan
from .say import Stop

JOB_SECONDS = 3.0
FIRST_ROUNDS = 500
DASK_SECONDS = 30  # until its scheduler answers
SPREAD = 1_000_003  # of the jobs' seeds


def cores() -> int:
    return len(os.sched_getaffinity(0))


@dataclass
class Workers:
    """Who does jobs: `count` says how many at a time."""

    executor: Executor
    count: int


@contextlib.contextmanager
def local(targets: int | None, campaign: str) -> Iterator[Workers]:
    """Targets of this machine's, one a core."""
    count = targets or cores()
    pool = ThreadPoolExecutor(count, thread_name_prefix="elapid-fuzz")
    try:
        yield Workers(pool, count)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        fuzzjob.close_all(campaign)  # ends what is under way
        pool.shutdown()


@contextlib.contextmanager
def dask(scheduler: str, targets: int | None, campaign: str) -> Iterator[Workers]:
    """Workers of a Dask scheduler, HOST:PORT; a target for each of their threads. They need elapid[campaign]."""
    try:
        distributed: Any = importlib.import_module("distributed")  # nothing else needs it
    except ImportError:
        raise Stop("Dask is not installed: pip install 'elapid[campaign]'") from None
    try:
        client = distributed.Client(scheduler, timeout=DASK_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise Stop(f"no Dask scheduler at {scheduler}: {error}") from None
    with client:
        client.wait_for_workers(1, timeout=60)
        count = targets or sum(client.nthreads().values())
        try:
            # What a worker did that died, Dask has another do.
            yield Workers(client.get_executor(pure=False), count)
        finally:
            with contextlib.suppress(OSError, TimeoutError):
                client.run(fuzzjob.close_all, campaign)


def _result(future: Future[Found], seed: int) -> Found:
    try:
        return future.result()
    except Stop:
        raise
    except Exception as error:  # of Dask's: a job has taken several workers with it
        raise Stop(f"the job of seed {seed} came to no end: {error!r}") from error


class Campaign:
    """tell(crash, path): of each first one of a kind. jobs: (seed, rounds) of those that are merged."""

    def __init__(
        self,
        plan: Plan,
        findings: Findings,
        workers: Workers,
        seed: int = 1,
        tell: Callable[[Crash, os.PathLike[str]], object] | None = None,
    ):
        self.plan = plan
        self.findings = findings
        self.workers = workers
        self.seed = seed
        self.tell = tell
        self.jobs: list[tuple[int, int]] = []
        self.rate = 0.0  # rounds a second of one target
        self._begun = self._rounds = 0  # jobs, and rounds they were to do
        self._pending: dict[Future[Found], tuple[int, int]] = {}

    def run(
        self,
        rounds: int | None = None,
        crashes: int | None = None,
        over: Callable[[], bool] = lambda: False,
        show: Callable[[], object] = lambda: None,
    ) -> None:
        """Until so many rounds are done, or so many kinds of crash known, or over()."""
        self.start = time.monotonic()
        while not over() and not (crashes and len(self.findings.of_kind("crash")) >= crashes):
            while len(self._pending) < self.workers.count and not (
                rounds and self._rounds >= rounds
            ):
                self._submit(rounds and rounds - self._rounds)
            if not self._pending:
                break
            done, _ = wait(self._pending, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                seed, size = self._pending.pop(future)
                self._merge(_result(future, seed), seed, size)
            if done:
                self.findings.write_stats(targets=self.workers.count)
            show()
        for future in self._pending:
            future.cancel()

    def _submit(self, most: int | None) -> None:
        inputs = tuple(self.findings.corpus)
        fresh = max(int(self.rate * JOB_SECONDS), FIRST_ROUNDS, 4 * len(inputs))
        fresh = min(fresh, most or fresh)
        seed = (self.seed * SPREAD + self._begun) % (1 << 32)
        # Those that are given are rounds too.
        rounds = fresh + len(inputs)
        future = self.workers.executor.submit(fuzzjob.do, self.plan, inputs, seed, rounds)
        self._pending[future] = seed, rounds
        self._begun += 1
        self._rounds += fresh

    def _merge(self, found: Found, seed: int, rounds: int) -> None:
        self.jobs.append((seed, rounds))
        rate = found.rounds / max(found.seconds, 0.01)
        self.rate = rate if not self.rate else (3 * self.rate + rate) / 4
        self.findings.rounds += found.rounds
        self.findings.covered = max(self.findings.covered, found.covered)
        self.findings.blocks = found.blocks
        for data in found.corpus:
            self.findings.add(data)
        for crash in found.crashes:
            path = self.findings.crash(crash)
            if path and self.tell:
                self.tell(crash, path)

    def drcov(self) -> bytes:
        """A drcov file of what the whole corpus covers."""
        inputs = tuple(self.findings.corpus)
        future = self.workers.executor.submit(
            fuzzjob.do, self.plan, inputs, self.seed, len(inputs), True
        )
        found = _result(future, self.seed)
        self.findings.covered = found.covered
        self.findings.write_stats(targets=self.workers.count)
        return found.data

    def __str__(self) -> str:
        found = self.findings
        counts = [len(found.of_kind(kind)) for kind in ("crash", "hang")]
        crashes = (
            f"{counts[0]} crash{'es' * (counts[0] != 1)}, {counts[1]} hang{'s' * (counts[1] != 1)}"
        )
        speed = sum(rounds for _, rounds in self.jobs) / max(time.monotonic() - self.start, 0.01)
        return f"{found.rounds:,} rounds, {speed:,.0f} a second, corpus {len(found.corpus)}, {crashes}"
