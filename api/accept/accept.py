"""Accept a bulk request: the one path from a request to an accepted job and its response."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web

from api.accept.body import JobPart, RequestBody
from api.accept.idempotency import find_earlier, read_key, same_request
from api.accept.plan import Plan, new_job
from api.accept.response import ResultBody, respond
from api.accept.upload import Accepted, accept_upload
from api.http.context import ACCOUNT, API, Api
from api.http.validation import all_of, gathering
from api.http.waiting import wanted_wait
from schemas.errors import NotAcceptable
from schemas.items.reader import CHUNK_ITEMS
from storage.pipeline.uploads import NewJob

BELL_SECONDS = 1.0  # a Redis that hangs must not delay the 202; the reconciler rings again


class BulkRequest(ABC):
    """A bulk request while it is checked; a subclass says what differs between the bulk endpoints.

    `problems` collects what is not acceptable about the request, so that one response reports all of it.
    `result` makes the response body of an ended job; None: the job itself.
    """

    result: ResultBody | None = None

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.api = request.app[API]
        self.account = request[ACCOUNT]
        self.problems: list[NotAcceptable] = []

    def refuse_problems(self) -> None:
        """Raise NotAcceptable with every problem, if there is any."""
        if self.problems:
            raise all_of(self.problems)

    @abstractmethod
    async def open(self) -> RequestBody:
        """Open the body. Raises NotFound, UnsupportedFormat and what the pieces of a body raise."""

    @abstractmethod
    async def plan(self) -> Plan:
        """Check the request and plan its job. Raises NotFound, Conflict, NotAcceptable (every problem)."""

    @abstractmethod
    def parts(self) -> AsyncIterator[JobPart]:
        """Give the parts of the job; they follow the plan."""


async def accept_request(bulk: BulkRequest) -> web.Response:
    """Accept the job of a bulk request, or find the job that it became before, and respond."""
    key = _read_key(bulk)
    seconds = wanted_wait(bulk.request, bulk.account)
    body = await bulk.open()
    if earlier := await find_earlier(bulk.api, bulk.account.id, key):
        accepted = Accepted(id=same_request(earlier, await body.digest(), key))
    else:
        job = new_job(bulk.request, await bulk.plan(), key)
        accepted = await accept_upload(bulk.api, job, bulk.parts(), body.fingerprint)
        await _ring(bulk.api, job, accepted.total)
    return await respond(bulk.request, accepted, seconds, bulk.result)


def _read_key(bulk: BulkRequest) -> str | None:
    with gathering(bulk.problems):
        return read_key(bulk.request)
    return None


async def _ring(api: Api, job: NewJob, total: int | None) -> None:
    """Ring for a worker, best effort: the job is accepted even if no worker hears of it at once."""
    with suppress(TimeoutError):
        async with asyncio.timeout(BELL_SECONDS):
            if total is None:
                await api.ctx.queue.ring_split(job.account_id, job.id)
            elif job.dry_run:
                await api.ctx.queue.ring_dry_run()
            else:
                await api.ctx.queue.ring_work(min(job.parallel, -(-total // CHUNK_ITEMS)))
