"""Claim the next chunks of the accounts whose turn it is: as many items as their windows grant."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import attrgetter

from schemas.metrics import QUEUE_WAIT, STAGE_DURATION, THROTTLE_WAIT, THROTTLES
from schemas.noted_metrics import observe
from schemas.operations import OPERATIONS
from storage.batched import Batched
from storage.context import Context
from storage.failpoints import reach
from storage.pipeline import chunks, turns
from storage.pipeline.chunks import TOGETHER, Candidate, Claim, TurnsLocked
from storage.pipeline.leases import new_tokens
from storage.pipeline.turns import Throttled
from storage.postgres.pool import Conn
from storage.postgres.transactions import transaction
from storage.windows import grants
from storage.windows.grants import Log, NewGrant
from storage.windows.window import Grant, PastGrant
from worker.operations.registry import TOGETHER_OPERATIONS

History = Batched[Log, Sequence[PastGrant]]

# A throttled account waits until its window has room for 1/50 of the limit, not just for one item.
USEFUL_SHARE = 50
WHOLE = frozenset(name.value for name, traits in OPERATIONS.items() if traits.whole)


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
    started = time.perf_counter()
    try:
        claims = await _claim(ctx, tokens)
        if claims:
            reach("claim.committed", f"from {claims[0].first_index}.")
            observe(STAGE_DURATION, time.perf_counter() - started, "claim")
        for claim in claims:
            ctx.announcer.change(claim.account_id)
            if claim.waited is not None:
                observe(QUEUE_WAIT, claim.waited)
    except BaseException:
        claims = []
        raise
    finally:
        ctx.held.difference_update({*tokens} - {claim.token for claim in claims})
    return claims


async def _claim(ctx: Context, tokens: Sequence[int]) -> list[Claim]:
    while True:
        try:
            claims = await chunks.claim_unlimited(
                ctx.pool,
                ctx.worker_id,
                tokens,
                together=TOGETHER_OPERATIONS,
                skip_limited=ctx.breaker.refuses,
            )
            if claims is not None:
                return claims
            claims, waits = await _claim_limited(ctx, tokens)
            for wait_seconds in waits:
                await ctx.queue.ring_work(after_seconds=wait_seconds)
            if claims:
                return claims
        except TurnsLocked as locked:
            await turns.wait(ctx.pool, locked.args[0])
        except _WindowAway:
            pass  # the breaker is open now, and the next claim skips such accounts


async def _claim_limited(ctx: Context, tokens: Sequence[int]) -> tuple[list[Claim], set[float]]:
    """Claim chunks within the item limits of their accounts: this is where the item window is enforced.

    Returns the claims, and the seconds to wait of the accounts that are throttled. Both are empty if other
    workers took the chunks, so that the caller tries again.

    The turns of the accounts stay locked from the choice of the chunks to the commit, so that no other claim
    reads the grants of an account while a grant is not committed. Raises TurnsLocked, and _WindowAway if
    nobody can ask the windows.
    """
    async with transaction(ctx.pool) as conn:
        chosen = await chunks.choose(conn, most=len(tokens), together=TOGETHER_OPERATIONS)
        taken = await _take_grants(ctx, conn, [chunk for chunk in chosen if chunk.item_limit])
        if granted := [new for new in taken if new.grant.granted]:
            await grants.add(conn, granted)
        throttled = _throttled(chosen, taken)
        if throttled:
            await turns.throttle(conn, throttled)
        claims = []
        if allowed := _within(chosen, taken):
            claims = await chunks.lease(conn, allowed, worker_id=ctx.worker_id, tokens=tokens[: len(allowed)])
    for one in throttled:
        ctx.announcer.change(one.account_id)
        THROTTLES.inc()
        THROTTLE_WAIT.observe(one.wait_seconds)
    return claims, {one.wait_seconds for one in throttled}


async def _take_grants(ctx: Context, conn: Conn, limited: Sequence[Candidate]) -> list[NewGrant]:
    """Ask the windows of all accounts at once. One query loads the grants of all whose windows are cold."""
    history: History = Batched(partial(grants.recent, conn))
    accounts = [list(of_account) for _, of_account in groupby(limited, attrgetter("account_id"))]
    taken = []
    grants_taken = await asyncio.gather(*(_take_grant(ctx, history, of_account) for of_account in accounts))
    for (first, *_), grant in zip(accounts, grants_taken, strict=True):
        if grant is None:
            raise _WindowAway
        taken.append(NewGrant(first.account_id, grant, first.postgres_at))
    return taken


async def _take_grant(ctx: Context, history: History, wanted: Sequence[Candidate]) -> Grant | None:
    """Take a grant for chunks of one account. It may cut only the first one. None: Redis is away."""
    first = wanted[0]
    useful = first.items if first.operation in WHOLE else max(1, first.item_limit // USEFUL_SHARE)
    return await ctx.window.take(
        kind="items",
        account_id=first.account_id,
        limit=first.item_limit,
        window_seconds=first.window_seconds,
        want=sum(chunk.items for chunk in wanted),
        minimum=min(first.items, useful),
        parts=[chunk.items for chunk in wanted],
        postgres_at=first.postgres_at,
        history=partial(history.ask, Log(first.account_id, first.window_seconds)),
    )


def _within(chosen: Sequence[Candidate], taken: Sequence[NewGrant]) -> list[Candidate]:
    """Return the chunks that may be leased, cut to what was granted. Without a limit, all of them."""
    room = {new.account_id: new.grant.granted for new in taken}
    allowed = []
    for chunk in chosen:
        items = min(chunk.items, room.get(chunk.account_id, chunk.items))
        if items:
            allowed.append(chunk if items == chunk.items else replace(chunk, items=items))
            if chunk.account_id in room:
                room[chunk.account_id] -= items
    return allowed


def _throttled(chosen: Sequence[Candidate], taken: Sequence[NewGrant]) -> list[Throttled]:
    first = {chunk.account_id: chunk.job_id for chunk in reversed(chosen)}
    return [
        Throttled(new.account_id, first[new.account_id], new.grant.wait_seconds)
        for new in taken
        if not new.grant.granted
    ]
