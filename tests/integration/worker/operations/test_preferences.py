"""preferences.set sets the communication preference of contacts, and changes nothing else."""

import asyncio

import pytest

from schemas.ids import show_id
from schemas.operations import JobParams, Operation
from storage.context import Context
from tests.factories import make_account, make_contacts, make_job, phone
from tests.integration.worker.job_runs import run, words_of
from tests.waiting import until
from tests.workers import barred, claim, counts_of, job_of, versions, waiting_backends
from worker.apply import apply_chunk

SET = Operation.PREFERENCES_SET
DEFAULT = "allow_all"


async def test_only_a_different_preference_is_an_update(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, [1], communication_preference="mute_all")
    await make_contacts(ctx, account.id, [2], communication_preference="allow_all")
    await make_contacts(ctx, account.id, [3])
    phones = [phone(n) for n in (1, 2, 3)]
    results = await run(ctx, account.id, SET, phones, preference="mute_all", default_preference=DEFAULT)
    assert words_of(results) == ["unchanged", "updated", "updated"]
    rows = await ctx.pool.fetch("SELECT communication_preference FROM contacts")
    assert {row[0] for row in rows} == {"mute_all"}


async def test_a_contact_has_the_default_preference_until_one_is_set(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, [1])
    before = await versions(ctx, account.id)
    options = {"preference": DEFAULT, "default_preference": DEFAULT}
    assert words_of(await run(ctx, account.id, SET, [phone(1)], **options)) == ["unchanged"]
    assert await versions(ctx, account.id) == before
    other = {"preference": "mute_marketing", "default_preference": DEFAULT}
    assert words_of(await run(ctx, account.id, SET, [phone(1)], **other)) == ["updated"]
    assert words_of(await run(ctx, account.id, SET, [phone(1)], **options)) == ["updated"]


async def test_only_the_preference_and_updated_at_are_written(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, [1], opted_out=True, name="Ana")
    read = "SELECT to_jsonb(c) - '{communication_preference,updated_at}'::text[], updated_at FROM contacts c"
    before = await ctx.pool.fetchrow(read)
    await run(ctx, account.id, SET, [phone(1)], preference="mute_all")
    after = await ctx.pool.fetchrow(read)
    assert before is not None
    assert after is not None
    assert before[0] == after[0]
    assert before[1] < after[1]


async def test_a_contact_in_several_chunks_is_updated_once(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(10))
    phones = [phone(n % 10) for n in range(50)]
    results = await run(
        ctx, account.id, SET, phones, preference="mute_all", chunk_items=7, parallel=8, workers=crew
    )
    assert words_of(results) == ["merged"] * 40 + ["updated"] * 10
    assert [result.merged_into for result in results[:40]] == [40 + n % 10 for n in range(40)]


@pytest.mark.parametrize("key", ["id", "phone"])
async def test_a_preference_that_waits_for_another_change_of_its_contact_is_set(
    ctx: Context, crew: list[Context], key: str
) -> None:
    """The other change moves the contact to another place in the table."""
    account = await make_account(ctx)
    (contact_id,) = await make_contacts(ctx, account.id, range(1))
    value = show_id("ctc", contact_id) if key == "id" else phone(0)
    params = JobParams(preference="mute_all", default_preference="allow_all")
    job_id = await make_job(ctx, account.id, [{key: value}], operation=SET, params=params)
    held = await claim(ctx)
    async with barred(ctx, "UPDATE contacts SET name = 'New'"):
        setting = asyncio.create_task(apply_chunk(crew[0], held))
        await until(lambda: waiting_backends(ctx))
    await setting
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"updated": 1}
    rows = await ctx.pool.fetch("SELECT name, communication_preference FROM contacts")
    assert [tuple(row) for row in rows] == [("New", "mute_all")]
