"""Compare what a run left in the database with the model, and with what clients were told."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import asyncpg

from schemas.ids import read_job_id, show_job_id
from schemas.states import JobState, Outcome
from tests.faults.chaos.report import Report
from tests.faults.chaos.watched import watched
from tests.faults.chaos.workload import Sent, Workload
from tests.faults.harness import invariants
from tests.faults.harness.cluster import Cluster
from tests.faults.model import stored
from tests.model.account import ModelAccount
from tests.model.one_by_one import ModelJob, apply_item, close_overwrite

STUCK = ("no job is in progress", "no lease, running chunk or pending stream is left")
JOBS = "SELECT id, state, name, tags, finished_at FROM jobs WHERE account_id = $1"
OUTCOMES = "SELECT outcomes FROM outcomes WHERE account_id = $1 AND job_id = $2 ORDER BY first_index"
EFFECTS = """
    SELECT effect, count(*)::int AS writes, count(DISTINCT phone)::int AS contacts
    FROM test_effects WHERE account_id = $1 GROUP BY effect
"""

Conn = asyncpg.Connection


async def check(cluster: Cluster, workloads: list[Workload], report: Report) -> None:
    """Add everything that is wrong to the report."""
    conn = await cluster.connect()
    try:
        for line in await invariants.violations(conn, excluding=(invariants.CLOCK,)):
            if invariants.WINDOW in line:
                report.window.append(line)
            elif any(name in line for name in STUCK):
                report.stuck.append(line)
            else:
                report.other.append(line)
        for client in cluster.clients:
            for line in await invariants.untrue(conn, client):
                (report.lost if line.startswith("accepted") else report.other).append(line)
        for workload in workloads:
            rows = await conn.fetch(JOBS, workload.client.account_id)
            jobs = {show_job_id(row["id"]): row for row in rows}
            report.other += await watched(workload, jobs)
            await _check_account(conn, workload, jobs, report)
    finally:
        await conn.close()


async def _check_account(
    conn: "Conn[asyncpg.Record]", workload: Workload, jobs: Mapping[str, asyncpg.Record], report: Report
) -> None:
    account = ModelAccount(workload.targets.surroundings())
    for sent in workload.sent:
        if not sent.job.dry_run:
            cancelled = jobs[sent.id]["state"] == JobState.CANCELLED
            await _apply(conn, workload, account, sent, report, cancelled=cancelled)
        for change in sent.changes:
            change(account)
    for change in workload.rest_changes:
        change(account)
    account_id = workload.client.account_id
    found = await stored.read(conn, account_id)
    for contact in found.values():
        if "nickname" in contact:  # the trigger has added a number
            contact["nickname"] = contact["nickname"].partition("#")[0]
    lines = stored.differences(found, account.plain())
    report.state += [f"account {account_id}: {line}" for line in lines]
    report.doubled += await _doubled(conn, workload)


async def _apply(
    conn: "Conn[asyncpg.Record]",
    workload: Workload,
    account: ModelAccount,
    sent: Sent,
    report: Report,
    *,
    cancelled: bool,
) -> None:
    """Apply the items that the service told as applied. Compare how many failed and were created."""
    rows = await conn.fetch(OUTCOMES, workload.client.account_id, read_job_id(sent.id))
    outcomes = [Outcome(outcome) for row in rows for outcome in row["outcomes"]]
    items = _failed(sent.parent) if sent.parent else sent.job.items
    if len(outcomes) != len(items):
        report.lost.append(f"job {sent.id} has {len(outcomes)} results of {len(items)} items")
        return
    for item, outcome in zip(items, outcomes, strict=True):
        if outcome is not Outcome.CANCELLED:
            sent.effects.append((item, apply_item(account, sent.job, item)))
    if sent.job.operation == "lists.overwrite" and not cancelled:
        named = {effect.contact for _, effect in sent.effects if effect.contact}
        close_overwrite(account, sent.job, named)
    expected = Counter(effect.word for _, effect in sent.effects)
    for outcome in (Outcome.FAILED, Outcome.SKIPPED):
        if (told := outcomes.count(outcome)) != expected[outcome.word]:
            report.other.append(f"job {sent.id}: {told} {outcome.word}, the model {expected[outcome.word]}")


def _failed(sent: Sent) -> list[dict[str, Any]]:
    return [item for item, effect in sent.effects if effect.word == "failed"]


async def _doubled(conn: "Conn[asyncpg.Record]", workload: Workload) -> list[str]:
    """Return the effects that did not reach each of their contacts once."""
    rows = await conn.fetch(EFFECTS, workload.client.account_id)
    found = {row["effect"]: (row["writes"], row["contacts"]) for row in rows}
    expected = dict(_effects(sent.job) for sent in workload.sent if "nickname" in (sent.job.items or [{}])[0])
    return [
        f"effect {effect!r}: {found.get(effect)} writes and contacts, expected {number} of each"
        for effect, number in expected.items()
        if found.get(effect) != (number, number)
    ]


def _effects(job: ModelJob) -> tuple[str, int]:
    return job.items[0]["nickname"], len(job.items)
