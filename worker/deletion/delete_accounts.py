"""Delete the accounts that are marked, and what was stored of them afterwards, in one of the workers."""

import asyncio
import logging
from functools import partial

from schemas.ids import show_account_id
from storage import rounds
from storage.background import repeat
from storage.context import Context
from storage.deletion import account_deletion

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
ROUND = 0.9  # of EVERY_SECONDS: after this time another worker may begin
TURN_SECONDS = 2.0  # of an account, so that a large one delays no small one for long
SWEEP_SECONDS = 1_800.0


async def delete_accounts_forever(ctx: Context) -> None:
    """Delete marked accounts until cancelled."""
    await asyncio.gather(
        repeat(EVERY_SECONDS, partial(_in_turn, ctx), what="deleting accounts"),
        repeat(SWEEP_SECONDS, partial(_sweep_in_turn, ctx), what="looking for rows of deleted accounts"),
    )


async def delete_accounts(ctx: Context) -> None:
    """Delete rows of each marked account for some seconds."""
    for account_id in await account_deletion.marked(ctx.pool):
        async with ctx.pool.acquire() as conn:
            gone = await account_deletion.go_on(conn, account_id, TURN_SECONDS)
        if gone:
            await ctx.window.forget(account_id)
            logger.info("account %s is deleted", show_account_id(account_id))


async def sweep(ctx: Context) -> None:
    """Delete what was stored of accounts after their deletion, by requests that had begun before."""
    async with ctx.pool.acquire() as conn:
        account_ids = await account_deletion.sweep(conn, TURN_SECONDS)
    for account_id in account_ids:
        await ctx.window.forget(account_id)


async def _in_turn(ctx: Context) -> None:
    if await rounds.begin(ctx.pool, "deleting accounts", ROUND * EVERY_SECONDS):
        await delete_accounts(ctx)


async def _sweep_in_turn(ctx: Context) -> None:
    if await rounds.begin(ctx.pool, "sweeping", ROUND * SWEEP_SECONDS):
        await sweep(ctx)
