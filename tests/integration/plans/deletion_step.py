"""The steps that delete: pruning, the deletion of an account, and the erasure of a contact."""

from itertools import count
from uuid import uuid4

from schemas.ids import read_job_id
from storage.access import api_keys
from storage.deletion import account_deletion, erasures
from tests.factories import make_account, make_job, phone
from tests.integration.api.owned import fill, left
from tests.integration.api.service import Client
from tests.integration.api.tenant_rows import OWN
from tests.integration.plans.growing_world import Sessions
from tests.workers import claim
from worker.apply import apply_chunk
from worker.deletion.delete_accounts import delete_accounts, sweep
from worker.deletion.erase_contacts import erase
from worker.prune import prune

NUMBERS = count(1)


async def pruning(at: Sessions) -> None:
    """Prune everything, of the account one job that is old."""
    job_id = await make_job(at.ctx, at.world.account.id, [{"phone": phone(1)}])
    await apply_chunk(at.ctx, await claim(at.ctx))
    await at.ctx.pool.execute(
        "UPDATE jobs SET finished_at = now() - interval '90 days' WHERE account_id = $1 AND id = $2",
        at.world.account.id,
        job_id,
    )
    await prune(at.ctx)


async def account_deletions(at: Sessions) -> None:
    """Delete a small account beside large ones, and look for its rows afterwards."""
    account = await make_account(at.ctx, name=f"gone {next(NUMBERS)}")
    await fill(at.ctx, account, OWN)
    await account_deletion.count_rows(at.ctx.pool, account.id)
    assert await account_deletion.begin(at.ctx.pool, account.id)
    await delete_accounts(at.ctx)
    assert await left(at.ctx, account.id) == {}
    await sweep(at.ctx)
    await at.ctx.pool.execute("TRUNCATE deleted_accounts")


async def contact_erasures(at: Sessions) -> None:
    """Show and erase a contact of an account with a kept row, a failed item, and parts that a worker left."""
    ctx, account = at.ctx, await make_account(at.ctx, name=f"erases {next(NUMBERS)}")
    _, key = await api_keys.create_key(ctx.pool, account.id)
    client = Client(at.session, account, key)
    made = await client.call("POST", "/v1/contacts", json={"phoneNumber": phone(1), "name": "Ana"})
    body = f"phone,x\n{phone(1)},1\n12,{phone(1)}\n".encode()
    job = await client.submit(body, "text/csv", "?unknown_columns=keep")
    await apply_chunk(ctx, await claim(ctx))
    job_id = read_job_id(job.headers["Location"].rpartition("/")[2])
    assert job_id is not None
    await ctx.pool.execute("INSERT INTO parts VALUES ($1, $2, 0, '')", account.id, job_id)
    data = await client.get(f"/v1/contacts/{made.json['id']}/data")
    assert (len(data.json["rows"]), len(data.json["errors"])) == (2, 1)
    asked = await client.call("DELETE", f"/v1/contacts/{made.json['id']}/data")
    await client.call("DELETE", f"/v1/contacts/{made.json['id']}/data")
    path = f"/v1/erasures/{asked.json['id']}"
    while (await client.get(path)).json["state"] != "completed":
        await ctx.pool.execute("UPDATE erasures SET due_at = now()")
        await erase(ctx)
    await erasures.QUERIES.postpone(ctx.pool, account_id=account.id, id=uuid4(), seconds=0)
    await account_deletion.begin(ctx.pool, account.id)
    await delete_accounts(ctx)
    await ctx.pool.execute("TRUNCATE deleted_accounts")
