"""Claim the next chunk of the account whose turn it is: as many items as its window grants."""

from contextlib import suppress
from functools import partial

from schemas.operations import OPERATIONS, Operation
from storage.context import Context
from storage.failpoints import reach
from storage.pipeline import chunks, grants, turns
from storage.pipeline.chunks import Candidate, Claim
from storage.pipeline.leases import new_token
from storage.postgres.pool import Conn
from storage.postgres.transactions import transaction
from storage.window import Grant

# A throttled account waits until its window has room for 1/50 of the limit, not just for one item.
USEFUL_SHARE = 50


class _WindowAway(Exception):
    """Redis does not respond, so nobody can ask the window of an account."""


async def claim_chunk(ctx: Context) -> Claim | None:
    """Lease the next chunk to apply and add its token to `ctx.held`. The caller, `take_turn`, must remove it.

    Tries account after account. For an account without room in its item window it rings a bell for the
    moment when there is room. While Redis does not respond, the accounts with an item limit are left out.
    Returns None if nothing is left to claim.
    """
    token = new_token()
    ctx.held.add(token)  # before the claim is sent: see `keep_claims`
    try:
        claim = await _claim(ctx, token)
        if claim is not None:
            reach("claim.committed")
    except BaseException:
        ctx.held.discard(token)
        raise
    if claim is None:
        ctx.held.discard(token)
    return claim


async def _claim(ctx: Context, token: int) -> Claim | None:
    while True:
        claim = await chunks.claim_unlimited(ctx.pool, ctx.worker_id, token, skip_limited=ctx.breaker.refuses)
        if claim is None or isinstance(claim, Claim):
            return claim
        with suppress(_WindowAway):  # then the breaker is open, and the next claim skips such accounts
            limited, wait_seconds = await _claim_limited(ctx, token)
            if limited is not None:
                return limited
            if wait_seconds:
                await ctx.queue.ring_work(after_seconds=wait_seconds)


async def _claim_limited(ctx: Context, token: int) -> tuple[Claim | None, float]:
    """Claim a chunk within the account's item limit: this is where the item window is enforced.

    Returns the claim and 0; None and the seconds to wait if the account is throttled; None and 0 if another
    worker took the chunk, so that the caller tries again.

    The account's turn stays locked from the choice of the chunk to the commit, so that no other claim reads
    the grants of the account while a grant is not committed. Raises _WindowAway if nobody can ask the window.
    """
    async with transaction(ctx.pool) as conn:
        chunk = await chunks.lock_next(conn)
        if chunk is None:
            return None, 0
        items = chunk.items
        if chunk.item_limit:
            grant = await _take_grant(ctx, conn, chunk)
            if not grant.granted:
                await turns.throttle(conn, chunk.account_id, chunk.job_id, grant.wait_seconds)
                return None, grant.wait_seconds
            await grants.add(conn, chunk.account_id, grant, chunk.postgres_at)
            items = grant.granted
        return await chunks.lease(conn, chunk, items=items, worker_id=ctx.worker_id, token=token), 0


async def _take_grant(ctx: Context, conn: Conn, chunk: Candidate) -> Grant:
    useful = (
        chunk.items
        if OPERATIONS[Operation(chunk.operation)].whole
        else max(1, chunk.item_limit // USEFUL_SHARE)
    )
    grant = await ctx.window.take(
        kind="items",
        account_id=chunk.account_id,
        limit=chunk.item_limit,
        window_seconds=chunk.window_seconds,
        want=chunk.items,
        minimum=min(chunk.items, useful),
        postgres_at=chunk.postgres_at,
        history=partial(grants.recent, conn, chunk.account_id, chunk.window_seconds),
    )
    if grant is None:
        raise _WindowAway
    return grant
