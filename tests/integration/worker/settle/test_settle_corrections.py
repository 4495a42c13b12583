"""Which fields settle corrects, how it compares them, and what it does if a limit is broken."""

from typing import Any

import pytest

from schemas.states import Outcome
from storage.context import Context
from storage.pipeline import cancellation
from storage.pipeline.finish import Finishing
from tests.factories import contact, make_account, make_channel, make_property, phone
from tests.integration.worker.stepwise import IN_ORDER, OUT_OF_ORDER, row_of, start
from tests.workers import counts_of, job_of, results_of, versions
from worker import finish
from worker.settle import settle


async def test_a_channel_is_set_as_the_last_item_wants(ctx: Context) -> None:
    account = await make_account(ctx)
    early, late = await make_channel(ctx, account.id), await make_channel(ctx, account.id)
    items = [contact(1, default_channel_id=str(early)), contact(1, default_channel_id=str(late))]
    job = await start(ctx, account.id, items)
    await job.apply(*OUT_OF_ORDER)
    await job.finish()
    assert (await row_of(ctx, account.id, 1)).fields["default_channel_id"] == late


async def test_a_job_that_was_applied_in_order_rewrites_nothing(ctx: Context) -> None:
    account = await make_account(ctx)
    job = await start(ctx, account.id, [contact(1, name="First"), contact(1, name="Last")])
    await job.apply(*IN_ORDER)
    before = await versions(ctx, account.id)
    await job.finish()
    after = await versions(ctx, account.id)
    assert {id_: after[id_] for id_ in before} == before
    assert counts_of(await job_of(ctx, account.id, job.job_id)) == {"created": 2, "merged": 1}


@pytest.mark.parametrize("number", [1, 1.0, 1e30, 0.1, -0.0, 2**70, 1.5e-7])
async def test_numbers_are_compared_as_they_are_stored(ctx: Context, number: float) -> None:
    account = await make_account(ctx)
    await make_property(ctx, account.id, "n", "number")
    items = [
        contact(1, metadata={"x": [number]}, properties={"n": number}),
        contact(1, metadata={"x": ["last"]}, properties={"n": 7}),
    ]
    job = await start(ctx, account.id, items)
    await job.apply(*OUT_OF_ORDER)
    await job.finish()
    fields = (await row_of(ctx, account.id, 1)).fields
    assert (fields["metadata"], fields["properties"]) == ({"x": ["last"]}, {"n": 7})


async def test_a_property_that_is_not_defined_any_more_is_left_alone(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_property(ctx, account.id, "n", "number")
    items = [contact(1, properties={"n": 1}, age=1), contact(1, properties={"n": 2}, age=2)]
    job = await start(ctx, account.id, items)
    await job.apply(*OUT_OF_ORDER)
    await ctx.pool.execute("DELETE FROM property_definitions")
    await job.finish()
    fields = (await row_of(ctx, account.id, 1)).fields
    assert (fields["properties"], fields["age"]) == ({"n": 1}, 2)


async def test_a_correction_that_breaks_a_limit_fails_the_last_item(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if settle runs again, because a worker died before the end."""

    async def settle_twice(ctx: Context, job: Finishing) -> None:
        await settle(ctx, job)
        await settle(ctx, job)

    monkeypatch.setattr(finish, "settle", settle_twice)
    account = await make_account(ctx)
    big = {f"k{n}": "x" * 15_000 for n in range(4)}
    items: list[dict[str, Any]] = [
        *({"phone": phone(1), "metadata": {key: value}} for key, value in big.items()),
        contact(1, metadata={"other": "y" * 15_000}),
        contact(2, name="First"),
        contact(2, name="Last"),
    ]
    items[0]["metadata"] |= {"other": "small"}
    job = await start(ctx, account.id, items)
    await job.apply(4, 0, 1, 2, 3, 6, 5)
    await job.finish()
    metadata = (await row_of(ctx, account.id, 1)).fields["metadata"]
    assert metadata == big | {"other": "small"}
    assert (await row_of(ctx, account.id, 2)).fields["name"] == "Last"
    results = await results_of(ctx, account.id, job.job_id)
    assert [result.outcome for result in results[:5]] == [Outcome.MERGED] * 4 + [Outcome.FAILED]
    assert (results[4].code, results[0].merged_into) == ("metadata_too_large", 4)
    ended = await job_of(ctx, account.id, job.job_id)
    assert counts_of(ended) == {"created": 2, "merged": 5, "failed": 1}
    assert [(group.code, group.count) for group in ended.error_summary or ()] == [("metadata_too_large", 1)]


async def test_a_cancelled_job_is_settled_too(ctx: Context) -> None:
    account = await make_account(ctx)
    items = [contact(1, name="First"), contact(1, name="Last"), contact(1, name="Never")]
    job = await start(ctx, account.id, items)
    await job.apply(*OUT_OF_ORDER)
    await cancellation.cancel(ctx.pool, account.id, job.job_id)
    await finish.finish_if_last(ctx, account.id, job.job_id)
    assert (await row_of(ctx, account.id, 1)).fields["name"] == "Last"
    counts = counts_of(await job_of(ctx, account.id, job.job_id))
    assert counts == {"created": 1, "merged": 1, "cancelled": 2}
