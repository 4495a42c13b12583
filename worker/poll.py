"""Look for work in PostgreSQL while no bell can arrive, so that a worker goes on without Redis."""

import asyncio
from collections.abc import Callable

from storage.background import repeat
from storage.context import Context
from storage.pipeline import finish, split, turns
from worker.finish import finish_if_last
from worker.split import split_job
from worker.turn import take_turn

EVERY_SECONDS = 1.0


class Poll:
    """Works without bells whenever Redis or arq is away.

    `bells_arrive` returns whether arq runs. Whether Redis works is checked every second, so that every worker
    notices an outage, also one that has nothing to do.
    """

    def __init__(self, ctx: Context, bells_arrive: Callable[[], bool]) -> None:
        self._ctx = ctx
        self._bells_arrive = bells_arrive
        self._stopping = False
        self._working = asyncio.Lock()

    async def run_forever(self) -> None:
        """Look every second, and at once after a round that applied something, until cancelled."""
        await repeat(EVERY_SECONDS, self._look, what="looking for work without Redis")

    async def end(self) -> None:
        """Begin no further round, and wait for the end of the current one."""
        self._stopping = True
        async with self._working:
            pass

    async def _look(self) -> None:
        async with self._working:
            while not self._stopping and not (self._bells_arrive() and await self._redis_responds()):
                if not await work_once(self._ctx):
                    return

    async def _redis_responds(self) -> bool:
        await self._ctx.breaker.ask(self._ctx.queue.check)
        return self._ctx.breaker.closed


async def work_once(ctx: Context) -> bool:
    """Split, finish and apply what is due now. Return whether a chunk was applied: then more may be due."""
    for account_id, job_id in await split.unsplit(ctx.pool):
        await split_job(ctx, account_id, job_id)
    for account_id, job_id in await finish.unended(ctx.pool):
        await finish_if_last(ctx, account_id, job_id)
    wanted = min(await turns.due(ctx.pool), ctx.settings.worker_turns)
    results = await asyncio.gather(*(take_turn(ctx) for _ in range(wanted)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return any(results)
