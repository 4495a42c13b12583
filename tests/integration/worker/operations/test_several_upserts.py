"""Small upsert jobs of several accounts take few statements, with the same effect as one by one."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.entities import upsert
from storage.pipeline.chunks import Claim
from tests.factories import contact, make_account, make_job
from tests.workers import job_of, results_of
from worker.apply import apply_chunk
from worker.claim import claim_chunks
from worker.together import apply_together

Items = list[dict[str, Any]]
Plan = list[tuple[int, Items]]  # the number of an account and the items of a job

STORED = """
SELECT phone, name, email, external_id, metadata::text, count(*) OVER () FROM contacts
WHERE account_id = $1 ORDER BY phone
"""
CASES: dict[str, Plan] = {
    "the same contact again": [
        (0, [contact(1, name="A")]),
        (0, [contact(1, name="B", email="b@example.com")]),
    ],
    "a contact without a change": [
        (0, [contact(1)]),
        (0, [contact(2)]),
        (0, [contact(1)]),
        (1, [contact(1)]),
    ],
    "a null in between": [
        (0, [contact(1, email="a@example.com", metadata={"a": 1, "b": 2})]),
        (0, [{"phone": contact(1)["phone"], "email": None, "metadata": {"a": None}}]),
        (0, [contact(1, name="C")]),
    ],
    "an external id moves a contact": [
        (0, [contact(1, external_id="x")]),
        (0, [contact(2, external_id="x")]),
        (0, [contact(1, name="New")]),
        (1, [contact(2, name="Other")]),
    ],
    "merged and failed items": [(0, [contact(1), {"phone": "x"}, contact(1)]), (0, [{"phone": "y"}])],
    "no valid item": [(0, [{"phone": "x"}]), (1, [{"phone": "y"}])],
}


def _random_plan(seed: int) -> Plan:
    """Return jobs of three accounts that name few contacts, with fields, nulls and external ids."""
    draw = random.Random(seed)

    def item() -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name in ("name", "email"):
            if draw.random() < 0.5:
                fields[name] = draw.choice(("a@example.com", "b@example.com"))
            elif draw.random() < 0.1:
                fields[name] = None
        if draw.random() < 0.3:
            fields["metadata"] = {draw.choice("abc"): draw.choice((1, 2, None))}
        if draw.random() < 0.1:
            fields["external_id"] = draw.choice("xyz")
        return {"phone": contact(draw.randrange(6))["phone"], **fields}

    return [(draw.randrange(3), [item() for _ in range(draw.randrange(1, 4))]) for _ in range(12)]


@pytest.mark.parametrize("case", CASES)
async def test_the_effect_is_that_of_one_by_one(ctx: Context, case: str) -> None:
    await _compare(ctx, CASES[case])


@pytest.mark.parametrize("seed", range(20))
async def test_the_effect_of_random_jobs_is_that_of_one_by_one(ctx: Context, seed: int) -> None:
    await _compare(ctx, _random_plan(seed))


async def test_jobs_that_name_different_contacts_are_upserted_at_once(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged: list[int] = []
    stage = upsert.stage

    async def counted(conn: Any, columns: Any) -> None:
        staged.append(len(columns["phone"]))
        await stage(conn, columns)

    monkeypatch.setattr(upsert, "stage", counted)
    plan = [(number % 4, [contact(number), contact(100 + number)]) for number in range(20)]
    await _apply_together(ctx, *await _submit(ctx, plan))
    assert staged == [40]


async def _compare(ctx: Context, plan: Plan) -> None:
    """Apply the jobs of a plan together, and those of other accounts one by one, and compare."""
    together = await _submit(ctx, plan)
    await _apply_together(ctx, *together)
    alone = await _submit(ctx, plan)
    await _apply_alone(ctx, *alone)
    assert await _stored(ctx, *together) == await _stored(ctx, *alone)


async def _submit(ctx: Context, plan: Plan) -> tuple[list[AccountId], list[tuple[AccountId, JobId]]]:
    accounts = [(await make_account(ctx, item_limit=0)).id for _ in range(4)]
    return accounts, [
        (accounts[number], await make_job(ctx, accounts[number], items)) for number, items in plan
    ]


async def _apply_together(ctx: Context, accounts: object, jobs: Sequence[object]) -> None:
    claims = await claim_chunks(ctx)
    assert len(claims) == len(jobs)
    assert await apply_together(ctx, claims)


async def _apply_alone(ctx: Context, accounts: object, jobs: Sequence[tuple[AccountId, JobId]]) -> None:
    claims = {claim.job_id: claim for claim in await claim_chunks(ctx)}
    for _, job_id in jobs:
        claim: Claim = claims[job_id]
        await apply_chunk(ctx, claim)


async def _stored(
    ctx: Context, accounts: Sequence[AccountId], jobs: Sequence[tuple[AccountId, JobId]]
) -> tuple[list[Any], list[Any]]:
    """Return the contacts of the accounts and the results of the jobs, without ids."""
    contacts = [[tuple(row) for row in await ctx.pool.fetch(STORED, account_id)] for account_id in accounts]
    ended = []
    for account_id, job_id in jobs:
        job = await job_of(ctx, account_id, job_id)
        results = await results_of(ctx, account_id, job_id)
        words = [(row.index, row.outcome, row.merged_into, row.code) for row in results]
        ended.append((job.state, job.created, job.updated, job.unchanged, job.merged, job.failed, words))
    return contacts, ended
