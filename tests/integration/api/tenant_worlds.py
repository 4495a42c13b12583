"""Two databases that differ in one account. Another account must get equal responses from both."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from schemas.ids import JobId
from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.service import Client, Response, make_client, serve
from tests.integration.api.tenant_calls import Request
from tests.integration.api.tenant_rows import (
    FIRST_NEW,
    OWN,
    SPARE,
    THEIRS,
    Belongings,
    Rows,
    number_from,
    populate,
    populate_twin,
    tables_of,
)
from tests.integration.api.work import work
from tests.workers import POLL, open_worker

HEADERS = (
    "Content-Type",
    "Location",
    "Bulklane-Job",
    "Preference-Applied",
    "Idempotent-Replayed",
    "Retry-After",
)
WAIT = {"Prefer": "wait=30"}  # compare the result in the partner's format, not only the 202

ULID = "[0-9A-HJKMNP-TV-Z]{26}"
RUN_VALUES = re.compile(  # values that differ from run to run: times, hashes, numbers, ids of new rows
    rf"""(?P<time>\d{{4}}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?)
    | (?P<request>req_{ULID})
    | (?P<applied>"(?:applied|number)":[ ]\d+)  # from a sequence that all accounts share
    | (?P<transaction>"changed":[ ]"\d+" | ^id:[ ][\d.,]+$)  # all accounts share the numbers
    | (?P<token>"token":[ ]\d+)  # random
    | (?P<csrf>\b[0-9a-f]{{64}}\b)
    | (?P<duration>(?<=[> ])[\d.,]+(?:/s|[ ](?:ms|s|min[ ]\d+[ ]s|h[ ]\d+[ ]min|d[ ]\d+[ ]h))(?=[ <]))
    | (?P<host>//127\.0\.0\.1:\d+)
    | (?P<moment>\d{{4}}-\d\d-\d\d[ ]\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00)?)
    | (?P<hash>\\\\x[0-9a-f]{{64}})  # of a request, whose path may contain the id of a job
    | (?P<opens>bl_\d+_[\w-]{{43}})  # random
    | (?P<key>key_[0-9a-f]{{12}})  # of the hash of a random key
    | (?P<secret>whsec_[A-Za-z0-9+/=]{{44}})  # random
    | (?P<id>[a-z]{{2,4}}_{ULID} | [0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}
        | \b{str(FIRST_NEW)[0]}\d{{{len(str(FIRST_NEW)) - 1}}}\b)""",
    re.VERBOSE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A response and the views of its job, without the values that differ from run to run."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An account: its client, its jobs by the word of the belongings, and its rows."""

    client: Client
    jobs: dict[str, JobId]
    rows: Rows

    def names(self, of: Belongings, *, plain: bool = False) -> dict[str, str]:
        """Return the names of these belongings in requests."""
        return of.names(self.jobs[of.word], plain=plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A database with the account that sends requests and perhaps another one, with an api and a worker."""

    ctx: Context
    asking: Tenant
    other: Tenant | None

    async def observe(self, request: Request, known: frozenset[str]) -> Observed:
        """Send a request, do the work of its job, and read the job."""
        response = await self._send(request)
        views = [_shown(response)]
        job = response.headers.get("Bulklane-Job")
        for path, accept in JOB_VIEWS if job else ():
            views.append(_shown(await self.asking.client.get(f"/v1/jobs/{job}{path}", Accept=accept)))
        return Observed(status=response.status, text=without_run_values("\n".join(views), known))

    async def _send(self, request: Request) -> Response:
        sending = asyncio.create_task(send(self.asking.client, request))
        async with asyncio.timeout(20):
            while not sending.done():
                await work(self.ctx)
                await asyncio.wait({sending}, timeout=POLL)
            await work(self.ctx)  # of jobs for which the response does not wait
        return sending.result()


JOB_VIEWS = (
    ("", "application/json"),
    ("/errors", "text/csv"),
    ("/results", "application/x-ndjson"),
)


async def send(client: Client, request: Request) -> Response:
    """Send a request."""
    if request.is_page:
        return await client.visit(request.method, request.path, request.query, request.body, WAIT)
    headers = WAIT | dict(request.headers)
    if request.body is None:
        return await client.call(request.method, request.path, params=request.query, headers=headers)
    is_file = isinstance(request.body, bytes)
    return await client.call(
        request.method,
        request.path,
        params=request.query,
        data=request.body if is_file else json.dumps(request.body).encode(),
        headers={"Content-Type": "application/json"} | headers,
    )


def without_run_values(text: str, known: frozenset[str], *, alike: bool = False) -> str:
    """Replace times, hashes and new ids. New ids are numbered in order, unless `alike`. Known ids stay."""
    numbers: dict[str, str] = {}

    def replaced(found: re.Match[str]) -> str:
        if found["id"] and found[0] not in known:
            return "<new>" if alike else numbers.setdefault(found[0], f"<new {len(numbers)}>")
        return found[0] if found["id"] else f"<{found.lastgroup}>"

    return RUN_VALUES.sub(replaced, text)


def _shown(response: Response) -> str:
    headers = [f"{name}: {response.headers[name]}" for name in HEADERS if name in response.headers]
    return "\n".join([str(response.status), *headers, response.body.decode()])


@asynccontextmanager
async def open_world(settings: Settings, *, crowded: bool) -> AsyncIterator[World]:
    """Open a world with the requesting account and, if `crowded`, with the other one."""
    settings = settings.model_copy(update={"read_limit": 0, "max_unfinished_jobs": 1})
    async with (
        open_worker(settings) as ctx,
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        tables = await tables_of(ctx.pool)
        await number_from(ctx.pool, FIRST_NEW)
        asking = await _populate(ctx, session, tables, OWN, SPARE)
        await asking.rows.keep()
        other = await _populate(ctx, session, tables, THEIRS) if crowded else None
        if other is not None:
            for has in (OWN, SPARE):
                await populate_twin(ctx, other.client.account, has, asking.jobs[has.word])
            await other.rows.compare_versions()
        yield World(ctx=ctx, asking=asking, other=other)


async def _populate(
    ctx: Context, session: aiohttp.ClientSession, tables: list[str], *belongings: Belongings
) -> Tenant:
    phone_number_id = f"1{belongings[0].number}"
    client = await make_client(
        ctx, session, name=f"account-{phone_number_id}", phone_number_id=phone_number_id
    )
    jobs = {has.word: await populate(ctx, client.account, has) for has in belongings}
    await ctx.pool.execute(
        "UPDATE jobs SET idempotency_key = 'of ' || account_id, request_hash = '' WHERE id = $1",
        jobs[belongings[0].word],
    )
    return Tenant(client=client, jobs=jobs, rows=Rows(ctx.pool, client.account, tables))
