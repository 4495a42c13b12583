"""Claim the next chunk: whose turn it is, of its oldest job, as much as its window grants."""

from datetime import datetime

from schemas.ids import AccountId
from storage import chunks, turns
from storage.chunks import Candidate, Claim
from storage.context import Context
from storage.pool import Conn
from storage.turns import Turn
from storage.window import Grant

# Below this share of the limit a throttled account waits for more room rather than being served in crumbs.
USEFUL_SHARE = 50


async def claim_chunk(ctx: Context) -> Claim | None:
    """Lease the next chunk to apply; None: there is nothing to claim, or only throttled work.

    The account's turn stays locked from the choice to the commit, so that of one account no grant of the
    window is ever on its way to `grants` while another claim reads them.
    """
    while True:
        async with ctx.pool.acquire() as conn, conn.transaction():
            turn = await turns.next_account(conn)
            if turn is None:
                return None
            chunk = await chunks.next_of(conn, turn.account_id)
            if chunk is None:  # taken between the two statements: look again
                continue
            claim, wait_seconds = await _lease(ctx, conn, turn, chunk)
        if claim is not None:
            return claim
        if wait_seconds:
            await ctx.queue.ring_work(after_seconds=wait_seconds)


async def _lease(ctx: Context, conn: Conn, turn: Turn, chunk: Candidate) -> tuple[Claim | None, float]:
    """The claim, or how many seconds the account has to wait for its window."""
    items, deaths = _share(chunk)
    granted_at = None
    if turn.item_limit:
        grant = await _ask_window(ctx, conn, turn, items)
        if not grant.granted:
            await turns.throttle(conn, chunk.account_id, chunk.job_id, grant.wait_seconds)
            return None, grant.wait_seconds
        items, granted_at = grant.granted, grant.at
    claim = await chunks.lease(
        conn,
        chunk,
        items=items,
        deaths=deaths,
        granted_at=granted_at,
        worker_id=ctx.worker_id,
    )
    return claim, 0


def _share(chunk: Candidate) -> tuple[int, int]:
    """How many items to take, and how many deaths stay on the account of what was one chunk.

    What has cost so many workers their life is taken by halves, each with one life left, until the item
    to blame stands alone.
    """
    if chunk.deaths < chunks.MAX_DEATHS or chunk.items == 1:
        return chunk.items, chunk.deaths
    return chunk.items // 2, chunks.MAX_DEATHS - 1


async def _ask_window(ctx: Context, conn: Conn, turn: Turn, items: int) -> Grant:
    async def history(since: datetime) -> list[tuple[datetime, int]]:
        return await chunks.recent_grants(conn, AccountId(turn.account_id), since)

    return await ctx.window.take(
        kind="items",
        account_id=turn.account_id,
        limit=turn.item_limit,
        window_seconds=turn.window_seconds,
        want=items,
        minimum=min(items, max(1, turn.item_limit // USEFUL_SHARE)),
        history=history,
    )
