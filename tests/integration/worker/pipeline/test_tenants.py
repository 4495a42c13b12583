"""The jobs of an account change no row of another account."""

import random

from storage.context import Context
from tests.factories import make_job, phone
from tests.integration.worker.upserts import Upserts, make_defined_account, sparse_item, stored
from tests.workers import counts_of, drain, job_of, results_of, versions


async def test_the_jobs_of_an_account_change_no_row_of_another(ctx: Context, crew: list[Context]) -> None:
    rng = random.Random(5)
    account, other = await make_defined_account(ctx), await make_defined_account(ctx)
    items = [{**sparse_item(rng, 30), "external_id": f"e{n}"} for n in range(30)]
    await make_job(ctx, account.id, items, parallel=1)
    await drain(ctx)
    before = await versions(ctx, account.id)
    swapped = [{**sparse_item(rng, 30), "external_id": f"e{29 - n}"} for n in range(30)]
    await make_job(ctx, other.id, swapped, parallel=1)
    cleared = [{**sparse_item(rng, 30), "name": None, "email": None, "external_id": None} for _ in range(100)]
    job_id = await make_job(ctx, other.id, cleared, chunk_items=7)
    await drain(*crew)
    assert await versions(ctx, account.id) == before
    ids = {result.contact_id for result in await results_of(ctx, other.id, job_id)}
    assert ids.isdisjoint(before)
    assert await results_of(ctx, account.id, job_id) == []
    model = Upserts()
    for item in swapped + cleared:
        model.apply(item)
    assert await stored(ctx, other.id) == model.plain()


async def test_two_accounts_may_have_the_same_phones(ctx: Context, crew: list[Context]) -> None:
    rng = random.Random(6)
    runs = []
    for _ in range(2):
        account, model = await make_defined_account(ctx), Upserts()
        items = [sparse_item(rng, 15) for _ in range(60)]
        for item in items:
            model.apply(item)
        runs.append((account.id, model, await make_job(ctx, account.id, items, chunk_items=9)))
    await drain(*crew)
    for account_id, model, job_id in runs:
        assert await stored(ctx, account_id) == model.plain()
        assert counts_of(await job_of(ctx, account_id, job_id))["created"] == len(model.plain())
        unchanged = await make_job(ctx, account_id, [{"phone": phone(n)} for n in range(15)])
        await drain(ctx)
        ids = {result.contact_id for result in await results_of(ctx, account_id, unchanged)}
        assert ids == set(await versions(ctx, account_id))
