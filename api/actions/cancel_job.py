"""Cancel a job: its items that are not applied yet."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web

from api.accept.accept import BELL_SECONDS
from api.http.context import API, CALLER, Api
from schemas.errors import Conflict
from schemas.ids import AccountId, JobId
from schemas.states import JobState
from storage.pipeline import cancellation
from storage.pipeline.cancellation import Standing
from storage.pipeline.jobs import JobRow

CANCEL_WAIT_SECONDS = 2.0  # a running worker ends a cancelled job within milliseconds


async def cancel_and_wait(
    request: web.Request, account_id: AccountId, job_id: JobId, seconds: float = CANCEL_WAIT_SECONDS
) -> JobRow | None:
    """Cancel a job, wait at most `seconds` for its end, and return it; None: the account has no such job.

    Raises Conflict if the job has ended otherwise.
    """
    api = request.app[API]
    standing = await cancellation.cancel(api.ctx.pool, account_id, job_id, caller=request[CALLER])
    if standing is None:
        return None
    if standing.state.ended and standing.state is not JobState.CANCELLED:
        message = f"the job has ended as {standing.state}: there is nothing to cancel"
        raise Conflict(message, code="job_ended")
    api.ctx.announcer.change(account_id)
    await ring_ends(api, account_id, {job_id: standing})
    return await api.ended.wait(account_id, job_id, seconds)


async def ring_ends(api: Api, account_id: AccountId, jobs: Mapping[JobId, Standing]) -> None:
    """Ring for the workers that end cancelled jobs, or announce their ends; best effort."""
    queue = api.ctx.queue
    with suppress(TimeoutError):
        async with asyncio.timeout(BELL_SECONDS):
            for job_id, standing in jobs.items():
                match standing:
                    case Standing(state=JobState.CANCELLED):
                        await api.ctx.announcer.end([(account_id, job_id)])
                    case Standing(unsplit=True):
                        await queue.ring_split(account_id, job_id)
                    case _:
                        await queue.ring_finish(account_id, job_id)
