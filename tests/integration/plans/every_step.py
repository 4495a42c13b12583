"""The steps of a job, of the reconciler and of pruning, on the sessions of a growing world."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from schemas.error_limit import Excess
from schemas.formats.content_type import Format
from schemas.ids import new_job_id
from schemas.item_errors import ItemError
from schemas.job_errors import JobErrorCode
from schemas.operations import BULK_OPERATIONS, Operation
from storage import rounds
from storage.entities import contacts
from storage.pipeline import (
    cancellation,
    changes,
    chunks,
    dry_runs,
    failures,
    finish,
    job_search,
    jobs,
    results,
    turns,
    uploads,
)
from storage.pipeline.changes import Cursor
from storage.postgres.transactions import end_silent_sessions, transaction
from storage.windows import admissions, grants
from tests.factories import make_job, phone
from tests.integration.plans.deletion_step import account_deletions, contact_erasures, pruning
from tests.integration.plans.growing_world import Sessions
from tests.integration.plans.history_step import history_of_a_removed_member
from tests.integration.plans.key_step import rotated_keys
from tests.integration.plans.undo_step import undone_jobs
from tests.integration.plans.upload_step import staged_uploads
from tests.workers import claim, expire_leases
from worker.apply import apply_chunk
from worker.claim import claim_chunks
from worker.dry_run import dry_run_next
from worker.finish import finish_if_last
from worker.reconcile import reconcile
from worker.split import split_job
from worker.together import apply_together

Step = Callable[[Sessions], Awaitable[None]]
NUMBERS = count(1)
ITEMS = 10


def _items(at: Sessions, operation: Operation) -> list[dict[str, Any]]:
    """Return items of all kinds: new contacts, known ones by phone, id and external id."""
    if not (operation is Operation.CONTACTS_UPSERT or operation.startswith("lists.")):
        by_id = [{"id": f"{id_}"} for id_ in at.world.known[:4]]
        return (
            by_id
            + [{"phone": phone(n)} for n in range(3, 7)]
            + [{"external_id": f"known {n}"} for n in (7, 8)]
        )
    new = next(NUMBERS)
    return [
        {"phone": phone(1000 + new), "name": f"New {new}"},
        {"phone": phone(0), "name": f"Changed {new}", "properties": {"vip": bool(new % 2)}},
        {"phone": phone(1), "default_channel_id": str(at.world.channel), "email": None},
        {"phone": phone(2), "metadata": {"key": None, "other": str(new)}},
        {"phone": phone(500_000 + new), "external_id": "moves"},
        *({"phone": phone(n), "external_id": f"known {n}"} for n in (7, 8)),
        {"phone": "12"},
    ]


def operation_step(operation: Operation) -> Step:
    """Return the step that runs a job of one chunk."""

    async def step(at: Sessions) -> None:
        job_id = await make_job(
            at.ctx, at.world.account.id, _items(at, operation), operation=operation, params=at.world.params
        )
        await apply_chunk(at.ctx, await claim(at.ctx))
        await finish_if_last(at.ctx, at.world.account.id, job_id)

    return step


async def small_jobs(at: Sessions) -> None:
    """Accept small jobs, of new contacts and of one that stays the same, and apply them at once."""
    for place in range(ITEMS):
        number = 3 if place % 2 else 1000 + next(NUMBERS)
        response = await at.client.submit_items([{"phone": phone(number), "name": "Same"}])
        assert response.status == 202, response.body
    claims = await claim_chunks(at.ctx)
    assert len(claims) == ITEMS
    assert await apply_together(at.ctx, claims)


async def large_job(at: Sessions) -> None:
    """Split a job, and apply its chunks out of order, so that its finish settles it."""
    new = next(NUMBERS)
    items = [{"phone": phone(1 + n % ITEMS), "name": f"Name {new} {n}"} for n in range(2 * ITEMS)]
    job_id = await make_job(at.ctx, at.world.account.id, items, chunk_items=ITEMS)
    first, second = await claim(at.ctx), await claim(at.ctx)
    changed = await at.client.call(
        "PATCH", f"/v1/contacts/{at.world.known[2]}", json={"name": f"Changed {new}"}
    )
    assert changed.status == 200, changed.body
    for held in (second, first):
        await apply_chunk(at.ctx, held)
    await finish_if_last(at.ctx, at.world.account.id, job_id)


async def long_job(at: Sessions) -> None:
    """Split a job whose parts a worker must split."""
    account_id, new = at.world.account.id, next(NUMBERS)
    items = [{"phone": phone(n), "name": f"Name {new} {n}"} for n in range(ITEMS)]
    job_id = await make_job(at.ctx, account_id, items, split=False)
    await split_job(at.ctx, account_id, job_id)
    await apply_chunk(at.ctx, await claim(at.ctx))


async def limited_jobs(at: Sessions) -> None:
    """Claim within a window that Redis has lost, and then beyond it."""
    await at.ctx.queue.redis.flushall()
    for _ in range(2):
        items = [{"phone": phone(n)} for n in range(600)]
        await make_job(at.ctx, at.world.limited.id, items, stream=f"limited {next(NUMBERS)}")
    claims = await claim_chunks(at.ctx)
    claims += await claim_chunks(at.ctx)
    assert await claim_chunks(at.ctx) == []
    for held in claims:
        await apply_chunk(at.ctx, held)
    await at.ctx.pool.execute(
        "DELETE FROM grants WHERE account_id = $1 AND at > now() - interval '1 h'", at.world.limited.id
    )
    await at.ctx.pool.execute(
        "UPDATE account_turns SET ready_at = throttled_at WHERE account_id = $1", at.world.limited.id
    )
    await at.ctx.queue.redis.flushall()
    while claims := await claim_chunks(at.ctx):
        for held in claims:
            await apply_chunk(at.ctx, held)


async def kept_rows(at: Sessions) -> None:
    """Keep the rows of a job, and read them with their results."""
    body = f"phone,x\n{phone(1000 + next(NUMBERS))},1\n".encode()
    job = await at.client.submit(body, "text/csv", "?unknown_columns=keep")
    await apply_chunk(at.ctx, await claim(at.ctx))
    results_file = await at.client.get(f"{job.headers['Location']}/results?format=csv")
    assert results_file.body.startswith(b"phone,x,bulklane_index,"), results_file.body


async def dry_run(at: Sessions) -> None:
    """Run a dry run of two chunks."""
    items = _items(at, Operation.CONTACTS_UPSERT)
    await make_job(at.ctx, at.world.account.id, items, chunk_items=4, dry_run=True, params=at.world.params)
    assert await dry_run_next(at.ctx)


async def failures_of_a_job(at: Sessions) -> None:
    """Let a job fail, wait, lose its worker, be cancelled, and end."""
    account_id = at.world.account.id
    items = [{"phone": phone(n), "name": "Failing"} for n in range(ITEMS)]
    job_id = await make_job(at.ctx, account_id, items, chunk_items=4)
    held = await claim(at.ctx)
    await chunks.release(at.ctx.pool, held, blame=True)
    await failures.count(at.ctx.pool, account_id, job_id)
    await failures.postpone(at.ctx.pool, account_id, job_id)
    await failures.reset(at.ctx.pool, account_id, job_id)
    assert await failures.delayed(at.ctx.pool) == 0
    held = await claim(at.ctx)
    assert await chunks.renew(at.ctx.pool, at.ctx.worker_id, []) == [held.token]
    await chunks.disown(at.ctx.pool, at.ctx.worker_id, [held.token])
    await claim(at.ctx)
    await expire_leases(at.ctx)
    await reconcile(at.ctx)
    await apply_chunk(at.ctx, await claim(at.ctx))
    await cancellation.cancel(at.service.api.ctx.pool, account_id, job_id)
    await reconcile(at.ctx)
    assert await finish.claim(at.ctx.pool, account_id, job_id) is not None
    await at.ctx.pool.execute(
        "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE lease_until > now()"
    )
    await reconcile(at.ctx)
    await finish_if_last(at.ctx, account_id, job_id)


async def uploads_that_end(at: Sessions) -> None:
    """Store uploads that are forgotten, that fail, and whose api dies."""
    pool, account_id = at.service.api.ctx.pool, at.world.account.id
    for end in ("forget", "fail", "cancel", "expire"):
        job = uploads.NewJob(
            account_id=account_id, id=new_job_id(), operation=Operation.CONTACTS_UPSERT, stream="contacts",
            format=Format.NDJSON, params=at.world.params, parallel=4, request_id="req",
            idempotency_key=f"key {next(NUMBERS)}",
        )  # fmt: skip
        await uploads.open_job(pool, job)
        await uploads.renew(pool, [(account_id, job.id)])
        async with transaction(pool) as conn:
            await uploads.add_part(conn, account_id, job.id, 0, b"part")
            await uploads.keep_part(conn, account_id, job.id, 0, b"part")
        await uploads.stored_bytes(pool, account_id)
        await uploads.confirm(pool, account_id, job.id)
        if end == "forget":
            await uploads.forget(pool, account_id, job.id)
        elif end == "fail":
            await uploads.fail(pool, account_id, job.id, "code", "message")
            await uploads.drop_parts(pool, account_id, job.id)
        elif end == "cancel":
            await cancellation.cancel(pool, account_id, job.id)
        else:
            await at.ctx.pool.execute(
                "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'receiving'"
            )
            await reconcile(at.ctx)


async def rare_steps(at: Sessions) -> None:
    """Run what happens after faults, and between the steps of the others."""
    pool, account_id = at.ctx.pool, at.world.account.id
    items = [{"phone": phone(n)} for n in range(ITEMS)]
    job_id = await make_job(at.ctx, account_id, items, dry_run=True)
    claimed = await dry_runs.claim(pool)
    assert claimed is not None
    await dry_runs.renew(pool, claimed)
    assert await dry_runs.release(pool, claimed, blame=True)
    await cancellation.fail_rest(pool, account_id, job_id, JobErrorCode.SPLIT_FAILED)
    finishing = await finish.claim(pool, account_id, job_id)
    assert finishing is not None
    excess = Excess(JobErrorCode.MAX_ERRORS_EXCEEDED, "too many")
    await finish.stop(pool, finishing, excess)
    await finish.renew(pool, finishing)
    await finish.release(pool, finishing)
    await finish_if_last(at.ctx, account_id, job_id)
    await jobs.shape_of(pool, account_id, job_id)
    await job_search.QUERIES.with_names(pool, account_id=account_id, ids=[job_id], name="a", above="b")
    await uploads.confirm(pool, account_id, job_id)
    job_id = await make_job(at.ctx, account_id, items)
    await cancellation.cancel_rest(pool, account_id, job_id, *excess)
    await finish_if_last(at.ctx, account_id, job_id)
    job_id = await make_job(at.ctx, account_id, items)
    assert await cancellation.cancel_queued(pool, account_id, [job_id])
    await finish_if_last(at.ctx, account_id, job_id)
    job_id = await make_job(at.ctx, account_id, items)
    async with pool.acquire() as conn, conn.transaction():
        await finish.start(conn, [(account_id, job_id)])
        await turns.lock(conn, account_id)
        await turns.wake(conn, account_id)
    await apply_chunk(at.ctx, await claim(at.ctx))
    contact_id = await pool.fetchval("SELECT contact_ids[1] FROM outcomes WHERE job_id = $1", job_id)
    async with pool.acquire() as conn, conn.transaction():
        failed = await results.fail_last(conn, account_id, job_id, contact_id, [0])
        assert failed is not None
        error = ItemError(index=failed, field=None, code="not_found", message="wrong", value=None, item=None)
        await results.add_errors(conn, account_id, job_id, [error])
    await contacts.id_by_external_id(pool, account_id, "known 7")
    await rounds.begin(pool, "a round of the test", 0)
    await end_silent_sessions(pool)
    async with transaction(pool, durable=False, flush=True):
        pass


async def admission(at: Sessions) -> None:
    """Admit a request, leave the step of a clock behind, and read what the stored grants use."""
    pool, account_id = at.service.api.ctx.pool, at.world.limited.id
    assert (await admissions.admit(pool, account_id)).granted
    now = datetime.now(UTC)
    await admissions.QUERIES.rebase(pool, account_id=account_id, at=now, postgres_at=now, api_at=now)
    await grants.used(pool, account_id, at.world.limited.window_seconds)


async def look_for_work(at: Sessions) -> None:
    """Reconcile, with nothing to do."""
    await reconcile(at.ctx)


async def lost_announcements(at: Sessions) -> None:
    """Look for changes of the account since its first job, and since this moment."""
    account_id = at.world.account.id
    assert await changes.changed_accounts(at.ctx.pool, {account_id: Cursor(at=1)}) == [account_id]
    await changes.changed_accounts(at.ctx.pool, {account_id: await changes.now(at.ctx.pool)})


STEPS: dict[str, Step] = {
    **{name.value: operation_step(name) for name in BULK_OPERATIONS if name != Operation.CONTACTS_DELETE},
    **{
        step.__name__: step
        for step in (
            small_jobs, kept_rows, large_job, long_job, limited_jobs, dry_run, failures_of_a_job,
            uploads_that_end, staged_uploads, rare_steps, admission, pruning, account_deletions,
            contact_erasures, look_for_work, lost_announcements, rotated_keys, undone_jobs,
            history_of_a_removed_member,
        )
    },
    "contacts.delete": operation_step(Operation.CONTACTS_DELETE),
}  # fmt: skip
