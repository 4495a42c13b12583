"""Look for work in PostgreSQL while no bell can arrive, so that a worker goes on without Redis."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from schemas.ids import AccountId, JobId
from storage.background import repeat
from storage.context import Context
from storage.pipeline import finish, split, turns
from worker.attempt import Step, in_job_slot
from worker.finish import finish_if_last
from worker.split import split_job
from worker.turn import take_turn

EVERY_SECONDS = 1.0

Work = Callable[[Context], Awaitable[bool]]


class Poll:
    """Works without bells whenever Redis or arq is away.

    `bells_arrive` returns whether arq runs. Whether Redis works is checked every second, so that every worker
    notices an outage, also one that has nothing to do.
    """

    def __init__(self, ctx: Context, bells_arrive: Callable[[], bool]) -> None:
        self._ctx = ctx
        self._bells_arrive = bells_arrive
        self._stopping = False
        # each kind of work has rounds of its own, because a job that is locked delays the round of its kind
        self._rounds: dict[Work, asyncio.Lock] = {
            work: asyncio.Lock() for work in (split_due, finish_due, apply_due)
        }

    async def run_forever(self) -> None:
        """Look every second, and at once after a round that applied something, until cancelled."""
        await asyncio.gather(
            *(
                repeat(EVERY_SECONDS, partial(self._look, work), what="looking for work without Redis")
                for work in self._rounds
            )
        )

    async def end(self) -> None:
        """Begin no further round, and wait for the end of the current ones."""
        self._stopping = True
        for working in self._rounds.values():
            async with working:
                pass

    async def _look(self, work: Work) -> None:
        async with self._rounds[work]:
            while not self._stopping and not (self._bells_arrive() and await self._redis_responds()):
                if not await work(self._ctx):
                    return

    async def _redis_responds(self) -> bool:
        await self._ctx.breaker.ask(self._ctx.queue.check)
        return self._ctx.breaker.closed


async def split_due(ctx: Context) -> bool:
    """Split the jobs that have parts to split. Return False: no more is due at once."""
    return await _each(ctx, split_job, await split.unsplit(ctx.pool))


async def finish_due(ctx: Context) -> bool:
    """Finish the jobs whose chunks are all applied. Return False: no more is due at once."""
    return await _each(ctx, finish_if_last, await finish.unended(ctx.pool))


async def apply_due(ctx: Context) -> bool:
    """Take the turns that are due. Return whether a chunk was applied: then more may be due."""
    wanted = await turns.due(ctx.pool, ctx.settings.worker_turns)
    results = await asyncio.gather(*(take_turn(ctx) for _ in range(wanted)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return any(results)


async def _each(ctx: Context, step: Step, jobs: list[tuple[AccountId, JobId]]) -> bool:
    """Do a step of each job. An error at one job is raised after all have been tried."""
    errors = []
    for account_id, job_id in jobs:
        try:
            await in_job_slot(ctx, step, account_id, job_id)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return False
