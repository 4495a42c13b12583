"""Claim the next chunk of the account whose turn it is: as many items as its window grants."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from schemas.operations import OPERATIONS, Operation
from storage.context import Context
from storage.failpoints import reach
from storage.pipeline import chunks, grants, turns
from storage.pipeline.chunks import TOGETHER, Candidate, Claim
from storage.pipeline.leases import new_tokens
from storage.postgres.pool import Conn
from storage.postgres.transactions import transaction
from storage.window import Grant
from worker.operations.registry import TOGETHER_OPERATIONS

# A throttled account waits until its window has room for 1/50 of the limit, not just for one item.
USEFUL_SHARE = 50


class _WindowAway(Exception):
    """Redis does not respond, so nobody can ask the window of an account."""


async def claim_chunks(ctx: Context, *, most: int = TOGETHER) -> list[Claim]:
    """Lease the next chunk to apply, or up to `most` of them, each the only chunk of a small job.

    Their tokens are in `ctx.held`, from which the caller, `take_turn`, must remove them.

    Tries account after account. For an account without room in its item window it rings a bell for the
    moment when there is room. While Redis does not respond, the accounts with an item limit are left out.
    Returns [] if nothing is left to claim.
    """
    tokens = new_tokens(most)
    ctx.held.update(tokens)  # before the claim is sent: see `keep_claims`
    claims: list[Claim] = []
    try:
        claims = await _claim(ctx, tokens)
        if claims:
            reach("claim.committed")
    except BaseException:
        claims = []
        raise
    finally:
        ctx.held.difference_update({*tokens} - {claim.token for claim in claims})
    return claims


async def _claim(ctx: Context, tokens: Sequence[int]) -> list[Claim]:
    while True:
        claims = await chunks.claim_unlimited(
            ctx.pool, ctx.worker_id, tokens, together=TOGETHER_OPERATIONS, skip_limited=ctx.breaker.refuses
        )
        if isinstance(claims, list):
            return claims
        with suppress(_WindowAway):  # then the breaker is open, and the next claim skips such accounts
            limited, wait_seconds = await _claim_limited(ctx, tokens[0])
            if limited is not None:
                return [limited]
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
