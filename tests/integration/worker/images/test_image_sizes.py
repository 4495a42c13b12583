"""An image has at most 1,000 contacts and about a megabyte, whatever one statement changes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from schemas.ids import AccountId, JobId
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.images import before_images
from storage.postgres.transactions import transaction
from storage.schema.image_parts import MOST_BYTES, MOST_CONTACTS
from tests.factories import make_account, make_contacts, make_job, make_list, phone
from tests.integration.worker.images.turning_back import comparable, state_of, turned_back
from tests.workers import drain

MEMBERS = """
INSERT INTO memberships (account_id, kind, owner_id, contact_id)
SELECT account_id, 'list', $2, id FROM contacts WHERE account_id = $1
"""
SIZES = """
SELECT field, cardinality(contact_ids) AS contacts, octet_length(old_json::text) AS bytes
FROM before_images WHERE job_id = $1 ORDER BY number
"""


@pytest.mark.parametrize(
    ("change", "images"),
    [
        ("name = 'Bo'", [("name", 500), ("name", 1000), ("name", 1000)]),
        ("name = 'Bo', age = 7", [(name, size) for name in ("age", "name") for size in (500, 1000, 1000)]),
    ],
)
async def test_a_statement_that_changes_many_contacts_makes_several_images(
    ctx: Context, change: str, images: list[tuple[str, int]]
) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(2_500), name="Ana")
    job, found = await _change(ctx, account.id, f"UPDATE contacts SET {change}")
    assert sorted((row["field"], row["contacts"]) for row in found) == images
    state = await turned_back(ctx, account.id, job, await state_of(ctx, account.id))
    assert {contact["name"] for contact in comparable(state).values()} == {"Ana"}


@pytest.mark.parametrize("sql", ["UPDATE contacts SET metadata = '{}'", "DELETE FROM contacts"])
async def test_large_values_make_several_images(ctx: Context, sql: str) -> None:
    account = await make_account(ctx)
    large = "x" * 50_000  # stored compressed
    await make_contacts(ctx, account.id, range(100), metadata=json.dumps({"a": large}))
    _, found = await _change(ctx, account.id, sql)
    assert sum(row["contacts"] for row in found) == 100
    assert len(found) > 2
    assert max(row["bytes"] for row in found) < 2 * MOST_BYTES


async def test_large_values_are_not_collected_in_the_memory_of_postgresql(ctx: Context) -> None:
    account = await make_account(ctx)
    large = "x" * 60_000  # stored compressed
    await make_contacts(ctx, account.id, range(800), metadata=json.dumps({"a": large}))
    job_id = await make_job(ctx, account.id, [{"phone": phone(1)}])
    async with transaction(ctx.pool) as conn:
        server = await conn.fetchval("SELECT pg_backend_pid()")
        await before_images.begin(conn, job_id)
        before = _most_megabytes(server)
        await conn.execute("UPDATE contacts SET metadata = metadata || '{\"b\": 1}'")
        assert _most_megabytes(server) - before < 800 * len(large) / 1_000_000


def _most_megabytes(pid: int) -> float:
    """Return the most memory that a process has had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1_000


async def test_a_closing_step_that_removes_many_members_makes_several_images(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(2_500))
    list_id = await make_list(ctx, account.id)
    await ctx.pool.execute(MEMBERS, account.id, list_id)
    before = await state_of(ctx, account.id)
    params = JobParams(list_id=list_id)
    job = await make_job(
        ctx, account.id, [{"phone": phone(1)}], operation=Operation.LISTS_OVERWRITE, params=params
    )
    await drain(ctx)
    found = await ctx.pool.fetch(SIZES, job)
    assert sum(row["contacts"] for row in found) == 2_499
    assert max(row["contacts"] for row in found) <= MOST_CONTACTS
    state = await turned_back(ctx, account.id, job, await state_of(ctx, account.id))
    assert comparable(state) == comparable(before)


async def _change(ctx: Context, account_id: AccountId, sql: str) -> tuple[JobId, list[Any]]:
    """Run a statement as a change of a job; return the id of the job and the sizes of its images."""
    job_id = await make_job(ctx, account_id, [{"phone": phone(1)}])
    async with transaction(ctx.pool) as conn:
        await before_images.begin(conn, job_id)
        await conn.execute(sql)
    return job_id, await ctx.pool.fetch(SIZES, job_id)
