"""Lists and counts of jobs equal what a scan of all jobs finds, whatever has happened to the jobs."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.formats.content_type import Format
from schemas.ids import AccountId, JobId, new_job_id
from schemas.operations import JobParams, Operation
from schemas.states import JobState
from storage import pruning
from storage.context import Context
from storage.pipeline import cancellation, job_search, uploads
from storage.pipeline.job_search import JobFilter, ListPlace
from storage.pipeline.uploads import NewJob
from tests.factories import contact, make_account, make_job
from tests.integration.api.work import work
from worker import prune

NAMES = (None, None, "a", "ab", "ab c", "b", "é", "\U0010ffff", "\ud7ff")
PREFIXES = ("", "a", "ab", "b", "é", "\U0010ffff", "\ud7ff", "z")
TAGS = ("x", "y", "z", 'q"')
OPERATIONS = (Operation.CONTACTS_UPSERT, Operation.PREFERENCES_SET)
PARAMS = JobParams(preference="mute_all", region="US")
BEGIN = datetime(2026, 3, 1, 10, tzinfo=UTC)
AGED = "UPDATE jobs SET finished_at = now() - interval '90 days' WHERE finished_at IS NOT NULL"
READ = "SELECT * FROM jobs WHERE account_id = $1"
FAILED = "SELECT account_id, id FROM jobs WHERE failed > 0 AND finished_at IS NOT NULL ORDER BY id"


@dataclass
class World:
    """Two accounts whose jobs change at random."""

    ctx: Context
    rng: random.Random
    accounts: list[AccountId]
    retried: set[JobId] = field(default_factory=set)
    did: Counter[str] = field(default_factory=Counter)

    def account(self) -> AccountId:
        """Return one of the accounts."""
        return self.rng.choice(self.accounts)

    def naming(self) -> dict[str, Any]:
        """Return a random name and tags."""
        tags = tuple(self.rng.sample(TAGS, self.rng.choice([0, 0, 1, 2])))
        return {"name": self.rng.choice(NAMES), "tags": tags}

    def moment(self) -> datetime:
        """Return a time within five hours, sometimes a full hour."""
        minutes = self.rng.randrange(300) if self.rng.random() < 0.7 else 60 * self.rng.randrange(6)
        return BEGIN + timedelta(minutes=minutes)


async def _small_jobs(world: World) -> None:
    """Accept some jobs; some have a bad item, some are dry runs."""
    for _ in range(world.rng.randint(1, 4)):
        items = [contact(world.rng.randrange(9)), *([{"phone": "1"}] if world.rng.random() < 0.4 else [])]
        dry_run, operation = world.rng.random() < 0.1, world.rng.choice(OPERATIONS)
        job_id = await make_job(
            world.ctx, world.account(), items if operation is OPERATIONS[0] else ["12"],
            operation=operation, params=PARAMS, dry_run=dry_run, **world.naming(),
        )  # fmt: skip
        await world.ctx.pool.execute("UPDATE jobs SET received_at = $2 WHERE id = $1", job_id, world.moment())


async def _upload(world: World) -> None:
    """Begin an upload that is going on, fails, is cancelled, or is forgotten."""
    account_id = world.account()
    job = NewJob(
        account_id=account_id, id=new_job_id(), operation=OPERATIONS[0], stream="contacts", params=PARAMS,
        format=Format.NDJSON, parallel=1, request_id="req", **world.naming(),
    )  # fmt: skip
    await uploads.open_job(world.ctx.pool, job)
    await world.ctx.pool.execute("UPDATE jobs SET received_at = $2 WHERE id = $1", job.id, world.moment())
    match world.rng.randrange(4):
        case 0:
            assert await uploads.fail(world.ctx.pool, account_id, job.id, "code", "message")
        case 1:
            await cancellation.cancel(world.ctx.pool, account_id, job.id)
        case 2:
            await uploads.forget(world.ctx.pool, account_id, job.id)


async def _retry(world: World) -> None:
    """Retry a job once, twice at once, or again. A retry may fail before it is accepted, or be cancelled."""
    rows = await world.ctx.pool.fetch(FAILED)
    if not rows:
        return
    account_id, parent = world.rng.choice(rows)
    if world.rng.random() < 0.2:
        job = NewJob(
            account_id=account_id, id=new_job_id(), operation=OPERATIONS[0], stream="contacts", params=PARAMS,
            format=Format.NDJSON, parallel=1, request_id="req", parent_id=parent,
        )  # fmt: skip
        await uploads.open_job(world.ctx.pool, job)
        assert await uploads.fail(world.ctx.pool, account_id, job.id, "code", "message")
        return
    streams = world.rng.choice([("contacts",), ("contacts", "contacts"), ("label:1", "label:2")])
    made = [
        make_job(world.ctx, account_id, [contact(1)], parent_id=parent, stream=stream, params=PARAMS)
        for stream in streams
    ]
    children = await asyncio.gather(*made)
    world.retried.add(parent)
    if world.rng.random() < 0.3:
        await cancellation.cancel(world.ctx.pool, account_id, children[0])


async def _apply(world: World) -> None:
    """Apply and end all accepted jobs; several end in one transaction."""
    await work(world.ctx)


async def _cancel(world: World) -> None:
    """Cancel a job, and let it end at once, or later."""
    query = "SELECT account_id, id FROM jobs WHERE state IN ('queued', 'running') ORDER BY id"
    if rows := await world.ctx.pool.fetch(query):
        account_id, job_id = world.rng.choice(rows)
        await cancellation.cancel(world.ctx.pool, account_id, job_id)


async def _roll_back(world: World) -> None:
    """End uploads and delete ended jobs in a transaction that is rolled back."""
    with suppress(LookupError):
        async with world.ctx.pool.acquire() as conn, conn.transaction():
            await conn.execute(
                "UPDATE jobs SET state = 'failed', finished_at = now() WHERE state = 'receiving'"
            )
            await conn.execute("DELETE FROM jobs WHERE finished_at IS NOT NULL")
            raise LookupError


async def _prune(world: World) -> None:
    """Prune some ended jobs."""
    await world.ctx.pool.execute(f"{AGED} AND random() < 0.3")
    await prune.prune(world.ctx)


async def _fold(world: World) -> None:
    """Fold the changes of the numbers."""
    await pruning.counts(world.ctx.pool)


ACTIONS: tuple[Callable[[World], Awaitable[None]], ...] = (
    _small_jobs, _small_jobs, _upload, _upload, _apply, _apply, _retry, _retry, _cancel, _roll_back, _prune,
    _fold,
)  # fmt: skip


def random_filter(world: World) -> JobFilter:
    """Return a filter by some of the fields."""
    rng = world.rng
    name, prefix = rng.choice([(None, None), (rng.choice(NAMES), None), (None, rng.choice(PREFIXES))])
    since, until = (world.moment() if rng.random() < 0.4 else None for _ in range(2))
    return JobFilter(
        states=tuple(rng.sample(list(JobState), rng.choice([0, 0, 1, 3]))),
        operation=rng.choice([None, None, *OPERATIONS, "contacts.unknown"]),
        tag=rng.choice([None, None, *TAGS]),
        name=name, prefix=prefix, since=since, until=until,
    )  # fmt: skip


def matching(rows: list[Any], wanted: JobFilter) -> list[Any]:
    """Return the jobs that match, newest first."""
    found = [
        row for row in rows
        if (not wanted.states or row["state"] in wanted.states)
        and (wanted.operation is None or row["operation"] == wanted.operation)
        and (wanted.tag is None or wanted.tag in row["tags"])
        and (wanted.name is None or row["name"] == wanted.name)
        and (wanted.prefix is None or _begins(row["name"], wanted.prefix))
        and (wanted.since is None or row["received_at"] >= wanted.since)
        and (wanted.until is None or row["received_at"] < wanted.until)
    ]  # fmt: skip
    return sorted(found, key=lambda row: (row["received_at"], row["id"]), reverse=True)


def _begins(name: str | None, prefix: str) -> bool:
    return name is not None and name.startswith(prefix)


async def pages(ctx: Context, account_id: AccountId, wanted: JobFilter, *, newer: bool) -> list[JobId]:
    """Read all pages of a list from one end to the other."""
    ids: list[JobId] = []
    place = ListPlace(newer=newer)
    while page := await job_search.page(ctx.pool, account_id, wanted, size=3, place=place):
        ids = page + ids if newer else ids + page
        place = ListPlace(beside=page[0] if newer else page[-1], newer=newer)
    return ids


async def check(world: World, wanted: JobFilter) -> None:
    """Compare the counts and the pages of all accounts with a scan."""
    for account_id in world.accounts:
        found = matching(await world.ctx.pool.fetch(READ, account_id), wanted)
        states = Counter(JobState(row["state"]) for row in found)
        counted = await job_search.counts(world.ctx.pool, account_id, wanted)
        assert counted == {state: states[state] for state in wanted.states or JobState}, wanted
        ids = [row["id"] for row in found]
        assert await pages(world.ctx, account_id, wanted, newer=False) == ids, wanted
        assert await pages(world.ctx, account_id, wanted, newer=True) == ids, wanted
        can_be_retried = [
            row["id"] for row in reversed(found)
            if row["finished_at"] and row["failed"] and row["id"] not in world.retried
        ]  # fmt: skip
        for size in (None, 2):
            retryable = await job_search.retryable(world.ctx.pool, account_id, wanted, size=size)
            assert retryable == (len(can_be_retried), can_be_retried[:size]), wanted
        named = await job_search.named(world.ctx.pool, account_id, wanted, ids)
        assert [job.id for job in named if job.retryable] == sorted(can_be_retried), wanted
        world.did["retryable"] += len(can_be_retried)


@pytest.mark.parametrize(("seed", "few"), [(1, job_search.FEW_NAMED), (2, 1)])
async def test_lists_and_counts_equal_a_scan_after_any_history(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, seed: int, few: int
) -> None:
    monkeypatch.setattr(job_search, "FEW_NAMED", few)
    monkeypatch.setattr(job_search, "LONG_PAGES", (2, 3))
    accounts = [(await make_account(ctx)).id for _ in range(2)]
    world = World(ctx, random.Random(seed), accounts)
    for number in range(60):
        action = world.rng.choice(ACTIONS)
        await action(world)
        if number % 6 == 0:
            await check(world, JobFilter())
            for _ in range(4):
                await check(world, random_filter(world))
    assert world.retried
    assert world.did["retryable"]
    await ctx.pool.execute(
        "UPDATE jobs SET finished_at = now() - interval '90 days' WHERE finished_at < now()"
    )
    await prune.prune(ctx)
    left = await ctx.pool.fetchval("SELECT count(*) FROM job_counts")
    ended = await ctx.pool.fetchval("SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL")
    assert (left, ended) == (0, 0)
    assert await ctx.pool.fetchval("SELECT count(*) FROM job_history") == 0


def test_an_empty_filter_is_known() -> None:
    assert JobFilter().is_empty
    assert not JobFilter(tag="x").is_empty
