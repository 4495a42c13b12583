"""The harness itself: it runs, breaks and heals a cluster, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.servers import processes
from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.cluster import cluster
from tests.faults.harness.effects import assert_once, effect_items, record_effects
from tests.waiting import wait_for

FROZEN = """
import asyncio
from tests.faults.harness.cluster import cluster

async def main():
    async with cluster() as running:
        for part in running.parts:
            part.freeze()
        print(running.home.state, *[part.pid for part in running.parts], flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_cluster_runs_is_broken_heals_and_leaves_nothing() -> None:
    async with cluster(proxied=True) as running:
        await record_effects(running)
        client = await running.client()
        running.steps.arm("no.such.step", "kill")
        job = await client.submit(effect_items(range(3_000), "first"))
        await running.workers[0].kill()
        running.workers[1].freeze()
        await running.heal()
        assert counts(await client.ended(job)) == {"created": 3_000}
        await invariants.hold(running)
        await assert_once(running, client, {"first": 3_000})
        marks = [processes.mark(part.pid) for part in running.parts if part.pid]
        folder = running.home.path
    assert len(marks) == 5
    assert not [mark for mark in marks if mark and processes.is_alive(mark)]
    assert folder not in folder.parent.iterdir()


@pytest.mark.long
def test_a_killed_test_leaves_no_process_even_if_it_has_stopped_them() -> None:
    words = [sys.executable, "-c", FROZEN]
    repository = Path(__file__).parents[2]
    test = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=repository, text=True)
    assert test.stdout is not None
    state, *pids = test.stdout.readline().split()
    marks = [processes.mark(int(pid)) for pid in pids]
    assert None not in marks
    os.kill(test.pid, signal.SIGKILL)
    test.wait()
    wait_for(lambda: not any(mark and processes.is_alive(mark) for mark in marks), seconds=30)
    wait_for(lambda: not processes.inside(Path(state) / "pg", "postgres"), seconds=30)
