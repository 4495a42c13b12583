"""Hold an answer back until a job ends: woken by its end, not by polling."""

import asyncio
import re

from aiohttp import web

from api.http.context import Api
from schemas.ids import AccountId, JobId
from schemas.states import JobState
from schemas.wire.queries import MAX_WAIT_SECONDS
from storage.entities.accounts import Account
from storage.pipeline import jobs

LOOK_SECONDS = 10.0  # look all the same, should an announcement be lost
PREFERENCE = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d+)\"?", re.IGNORECASE | re.ASCII)
ASYNC = re.compile(r"(?:^|[,\s])respond-async(?:$|[,;\s])", re.IGNORECASE)


def wanted_wait(request: web.Request, account: Account) -> float:
    """Seconds to wait by `Prefer` (RFC 7240: wait=S, respond-async), else by the account's default."""
    preferences = ",".join(request.headers.getall("Prefer", []))
    if found := PREFERENCE.search(preferences):
        return min(int(found[1][:9]), MAX_WAIT_SECONDS)
    return 0 if ASYNC.search(preferences) else account.default_wait


async def wait_for_end(api: Api, account_id: AccountId, job_id: JobId, seconds: float) -> JobState | None:
    """The job's state when it has ended or the time is up; None: the account has no such job.

    The time is up as well when the process is told to stop.
    No database connection is held while waiting.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    with api.ended.listen(job_id) as event:
        while True:
            event.clear()
            state = await jobs.state_of(api.ctx.pool, account_id, job_id)
            left = until - clock()
            if state is None or state.ended or left <= 0 or api.ended.closing:
                return state
            try:
                await asyncio.wait_for(event.wait(), min(left, LOOK_SECONDS))
            except TimeoutError:
                continue
