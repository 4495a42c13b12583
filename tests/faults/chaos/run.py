"""A run of chaos: start a cluster, let clients work, break everything, heal, compare."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from time import monotonic

from schemas.settings import Settings
from storage.background import cancel
from tests.faults.chaos.disturbing import undo_read_only
from tests.faults.chaos.recoveries import Recoveries
from tests.faults.chaos.report import Report
from tests.faults.chaos.schedule import Kind, Schedule
from tests.faults.chaos.undone import UndoingWorkload
from tests.faults.chaos.verify import check
from tests.faults.chaos.workload import Workload
from tests.faults.harness import invariants
from tests.faults.harness.cluster import Cluster, cluster
from tests.faults.harness.effects import record_effects
from tests.faults.harness.hearing import Ears, hearing
from tests.faults.harness.recovery import progress
from tests.faults.model.strategies import PROPERTIES
from tests.faults.model.world import make_targets
from tests.workers import open_worker

ITEMS_A_MINUTE = 100_000  # of all accounts
ACCOUNTS = 20
LIMITED = 5  # each fifth account has an item limit
ITEM_LIMIT, WINDOW_SECONDS = 4_000, 10
LIMITED_SHARE = 0.5  # of the items that the limit lets pass
PROGRESS_SECONDS = 45.0  # without progress, after all parts are back, jobs are stuck
UNFINISHED = "SELECT id, account_id, operation, state, total FROM jobs WHERE finished_at IS NULL"
ACTED = """
    SELECT count(*) FILTER (WHERE error_code = 'max_errors_exceeded'),
        count(*) FILTER (WHERE idempotency_key LIKE E'\\x1f%')
    FROM jobs
"""
MOST_CHARACTERS = 500  # of an error of a client in the report
FAULT_SECONDS = 90.0  # after it a fault counts as an error of the run

Say = Callable[[str], None]


async def chaos(minutes: float, seed: str, say: Say, *, items: int = 0, accounts: int = ACCOUNTS) -> Report:
    """Run for some minutes; return the report. `say` gets one line for each fault."""
    report = Report(seed, minutes)
    seconds = minutes * 60
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(cluster(apis=2, workers=2, proxied=True))
        await record_effects(running)
        workloads = await _workloads(
            running, seed, items or round(minutes * ITEMS_A_MINUTE), accounts, seconds
        )
        ears = await stack.enter_async_context(hearing(running, *(each.client for each in workloads)))
        following = [asyncio.create_task(workload.events.run()) for workload in workloads]
        await asyncio.gather(*(workload.begin() for workload in workloads))
        recoveries = Recoveries(running)
        probing = await running.client()
        side = [asyncio.create_task(recoveries.watch()), asyncio.create_task(recoveries.probe(probing))]
        work = [asyncio.create_task(workload.work(seconds)) for workload in workloads]
        await _break(running, Schedule(seed), recoveries, report, say, seconds)
        await running.heal()
        await undo_read_only(running)
        await _collect(report, "a client", work)
        recoveries.close()
        await _collect(report, "the probe", side)
        say("healed; waiting for the last jobs")
        await _settle(running, report)
        await _hear(ears, report)
        await check(running, workloads, report)
        await asyncio.gather(*(cancel(task) for task in following))
        await _collect(report, "a reader of events", [task for task in following if not task.cancelled()])
        _count(report, running, workloads, recoveries)
        ((report.stopped, report.retried),) = await running.sql(ACTED)
    return report


async def _workloads(
    running: Cluster, seed: str, items: int, accounts: int, seconds: float
) -> list[Workload]:
    settings = Settings(database_url=running.database_url, redis_url=running.redis_url)
    made: list[Workload] = []
    async with open_worker(settings) as ctx:
        for number in range(accounts):
            limited = number % LIMITED == LIMITED - 1
            limit = {"item_limit": ITEM_LIMIT, "window_seconds": WINDOW_SECONDS} if limited else {}
            client = await running.client(**limit)
            most = round(ITEM_LIMIT / WINDOW_SECONDS * seconds * LIMITED_SHARE)
            share = min(items // accounts, most) if limited else items // accounts
            targets = await make_targets(ctx, client.account_id, PROPERTIES)
            made.append(UndoingWorkload(running, client, targets, f"{seed}-{number}", share))
    return made


async def _break(
    running: Cluster, schedule: Schedule, recoveries: Recoveries, report: Report, say: Say, seconds: float
) -> None:
    """Begin faults until the time is up; wait for the end of the last ones."""
    started = monotonic()
    tasks: set[asyncio.Task[None]] = set()
    while True:
        kind, rng, pause = schedule.draw()
        await asyncio.sleep(min(pause, max(0.0, started + seconds - monotonic())))
        if monotonic() - started >= seconds:
            break
        async with schedule.slots:
            pass  # not more waiting faults than can act
        tasks.add(
            asyncio.create_task(_one_fault(running, schedule, kind, rng, recoveries, report, say, started))
        )
    if tasks:
        await asyncio.wait(tasks)


async def _one_fault(
    running: Cluster,
    schedule: Schedule,
    kind: Kind,
    rng: random.Random,
    recoveries: Recoveries,
    report: Report,
    say: Say,
    started: float,
) -> None:
    async with schedule.alone(kind):
        at = monotonic() - started
        with recoveries.fault(kind.name):
            try:
                async with asyncio.timeout(FAULT_SECONDS):
                    detail = await kind.fault(running, rng)
            except Exception as error:  # another fault is in the way, such as a database that is away
                detail = f"not possible: {type(error).__name__}: {error}"
                if isinstance(error, TimeoutError):
                    report.stuck.append(f"{kind.name} at {at:.0f} s: the part did not come back")
            else:
                report.faults[kind.name] += 1
        say(f"{at:7.1f} s  {kind.name}: {detail}")


async def _collect(report: Report, who: str, tasks: list[asyncio.Task[None]]) -> None:
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException):
            errors = result.exceptions if isinstance(result, BaseExceptionGroup) else (result,)
            report.other += [f"{who}: {error!r}"[:MOST_CHARACTERS] for error in errors]


async def _settle(running: Cluster, report: Report) -> None:
    """Wait until all jobs have ended, and read each as its client does. Stuck is what makes no progress."""
    before = -1
    while (now := await progress(running)) > before:
        before = now
        try:
            await invariants.quiet(running, seconds=PROGRESS_SECONDS)
        except TimeoutError:
            continue
        for client in running.clients:
            await client.all_ended()
        return
    rows = await running.sql(UNFINISHED)
    report.stuck += [f"no progress for {PROGRESS_SECONDS:g} s: {dict(row)}" for row in rows]


async def _hear(ears: Ears, report: Report) -> None:
    """Wait until the last messages to webhooks are delivered, and compare them with the jobs."""
    try:
        await ears.heard()
    except TimeoutError:
        report.stuck.append("messages to webhooks wait, although all parts are back")
    lines = await ears.violations()
    report.lost += [line for line in lines if "not told" in line or "never taken" in line]
    report.other += [line for line in lines if "not told" not in line and "never taken" not in line]
    report.messages = len({attempt.id for attempt in ears.receiver.received})
    report.attempts = len(ears.receiver.received)


def _count(report: Report, running: Cluster, workloads: list[Workload], recoveries: Recoveries) -> None:
    report.jobs = sum(len(client.accepted) for client in running.clients)
    report.items = sum(len(sent.job.items) for workload in workloads for sent in workload.sent)
    report.requests = sum(
        len(workload.rest_changes) + sum(len(sent.changes) for sent in workload.sent)
        for workload in workloads
    )
    report.events = sum(len(workload.events.seen) for workload in workloads)
    report.recoveries = recoveries.found
