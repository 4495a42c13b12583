"""Erase what is stored about contacts, where that was asked for, in one of the workers."""

import asyncio
from functools import partial

from storage import rounds
from storage.background import repeat
from storage.context import Context
from storage.deletion import erasures

EVERY_SECONDS = 1.0
ROUND = 0.9  # of EVERY_SECONDS: after this time another worker may begin
TURN_SECONDS = 2.0


async def erase_forever(ctx: Context) -> None:
    """Erase until cancelled."""
    await repeat(EVERY_SECONDS, partial(_in_turn, ctx), what="erasing contacts")


async def erase(ctx: Context) -> None:
    """Do the steps that are due, for some seconds."""
    clock = asyncio.get_running_loop().time
    until = clock() + TURN_SECONDS
    while clock() < until and await erasures.advance(ctx.pool):
        pass


async def _in_turn(ctx: Context) -> None:
    if await rounds.begin(ctx.pool, "erasing", ROUND * EVERY_SECONDS):
        await erase(ctx)
