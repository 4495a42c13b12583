"""`./run bench page`: the lists of the API and the pages, with 1,000,000 jobs of 100 items in the database.

Nine tenths of the jobs are of the account that asks. Each GET route is measured, except streams of events and
what is the same for all accounts; those with filters are measured with several of them.
"""

import asyncio
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import aiohttp
import typer

from api.routes import OPERATOR_PAGE_ROUTES, OPERATOR_ROUTES, PAGE_ROUTES, ROUTES
from bench.lab.client import Client
from bench.lab.crowd import fill
from bench.lab.results import Results
from bench.lab.service import Service, running_service
from bench.queries.stored_jobs import MORE_ACCOUNTS, fill_jobs
from schemas.ids import JobId, show_id, show_job_id
from schemas.operations import Operation

OPERATOR_KEY = "op_" + "0123456789abcdef" * 3
# An account has few webhooks and unfinished uploads, whatever is stored.
UNMEASURED = re.compile(
    r"/events$|/sign-in|/assets/|^/openapi|^/docs|^/llms|^/healthz|^/readyz|^/metrics|^(/v1)?/(webhooks|uploads|erasures)/"
)
MEMBERS = 10  # one in so many contacts is a member of a list, a label and an audience
FILTERED = ("/v1/jobs", "/v1/jobs/counts", "/")  # routes that take FILTERS
REFUSE_ALL = ("/jobs/cancel", "/jobs/retry")  # routes that take them, and refuse an empty filter
FILTERS = {
    "a rare state": "state=failed",
    "a state and an operation": "state=completed_with_errors&operation=labels.attach",
    "a frequent name": "name=nightly%20sync",
    "a frequent beginning of names": "name=nightly*",
    "many different names": "name=import*",
    "a rare name": "name=import%2013",
    "a frequent tag": "tag=crm",
    "a rare tag": "tag=rare&state=completed",
    "a tag and a name": "tag=crm&name=import*",
    "the last hour and a half": "since={recent}",
    "before the last ten days": "until={earlier}",
}
RESOURCES = """
WITH a AS (SELECT $1::bigint AS account_id), team AS (
    INSERT INTO teams (account_id, name) SELECT account_id, 'Team' FROM a RETURNING id
), list AS (
    INSERT INTO contact_lists (account_id, name) SELECT account_id, 'List' FROM a RETURNING id
), label AS (
    INSERT INTO labels (account_id, name) SELECT account_id, 'Label' FROM a RETURNING id
), audience AS (
    INSERT INTO audiences (account_id, name) SELECT account_id, 'Audience' FROM a RETURNING id
), channel AS (
    INSERT INTO channels (account_id, name) SELECT account_id, 'Channel' FROM a RETURNING id
), property AS (
    INSERT INTO property_definitions (account_id, name, type)
    SELECT account_id, 'vip', 'boolean' FROM a
)
SELECT team.id AS team, list.id AS list, label.id AS label, audience.id AS audience,
    channel.id::text AS channel,
    (SELECT max(id) FROM contacts WHERE account_id = $1) AS contact
FROM team, list, label, audience, channel
"""
MEMBERSHIPS = """
INSERT INTO memberships (account_id, kind, owner_id, contact_id)
SELECT $1, k.kind, k.id, c.id FROM contacts c, unnest($2::text[], $3::bigint[]) k (kind, id)
WHERE c.account_id = $1 AND (c.id % $4 = 0 OR c.id = $5)
"""
NEWEST = """
SELECT id FROM jobs WHERE account_id = $1 AND failed > 0 ORDER BY id DESC LIMIT 1
"""
MOMENTS = """
SELECT to_char(now() - interval '90 min', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS recent,
    to_char(now() - interval '10 days', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS earlier
"""


@dataclass(frozen=True, kw_only=True)
class View:
    """A path to measure, and who asks for it."""

    what: str
    path: str
    headers: dict[str, str]


def measure(
    results: Results,
    *,
    jobs: Annotated[int, typer.Option(min=1000, help="Jobs of 100 items in the database.")] = 1_000_000,
    requests: Annotated[int, typer.Option(min=1, help="Requests per view.")] = 40,
) -> None:
    """Measure each list of the API and each page with many jobs in the database."""
    slowest = 0.0
    for what, milliseconds in asyncio.run(_measure(jobs, requests)).items():
        p95 = _p95(milliseconds)
        slowest = max(slowest, p95)
        results.row(what, p50_ms=statistics.median(milliseconds), p95_ms=p95)
    results.target("view", slowest)


async def _measure(jobs: int, requests: int) -> dict[str, list[float]]:
    async with running_service(workers=1, OPERATOR_KEY=OPERATOR_KEY) as service:
        clients = await service.clients(1 + MORE_ACCOUNTS)
        await fill(service, clients[0].account_id, jobs // 10)
        names = await _names(service, clients[0])
        accounts = [int(client.account_id) for client in clients]
        await fill_jobs(service, accounts, list(Operation), jobs)
        (newest,) = await service.sql(NEWEST, clients[0].account_id)
        (moments,) = await service.sql(MOMENTS)
        names["job_id"] = show_job_id(JobId(newest["id"]))
        async with aiohttp.ClientSession(base_url=clients[0].url) as session:
            views = await _views(session, clients[0], names, dict(moments))
            return {view.what: await _ask(session, view, requests) for view in views}


async def _names(service: Service, client: Client) -> dict[str, str]:
    """Make a resource of each kind. Return the names for the parameters of paths."""
    (made,) = await service.sql(RESOURCES, client.account_id)
    kinds, owners = ["list", "label", "audience"], [made["list"], made["label"], made["audience"]]
    await service.sql(MEMBERSHIPS, client.account_id, kinds, owners, MEMBERS, made["contact"])
    (account,) = await service.sql("SELECT name FROM accounts WHERE id = $1", client.account_id)
    (key,) = await service.sql("SELECT id FROM api_keys WHERE account_id = $1", client.account_id)
    return {
        "contact_id": show_id("ctc", made["contact"]),
        "list_id": show_id("lst", made["list"]),
        "label_id": show_id("lbl", made["label"]),
        "audience_id": show_id("aud", made["audience"]),
        "team_id": show_id("team", made["team"]),
        "channel_id": made["channel"],
        "name": "vip",
        "account": account["name"],
        "key": key["id"],
    }


async def _views(
    session: aiohttp.ClientSession, client: Client, names: dict[str, str], moments: dict[str, str]
) -> list[View]:
    """Return what to measure. The account and the operator sign in to their pages."""
    askers = (
        (ROUTES, {"Authorization": f"Bearer {client.key}"}),
        (PAGE_ROUTES, await _signed_in(session, "/sign-in", client.key)),
        (OPERATOR_ROUTES, {"Authorization": f"Bearer {OPERATOR_KEY}"}),
        (OPERATOR_PAGE_ROUTES, await _signed_in(session, "/operator/sign-in", OPERATOR_KEY)),
    )
    views = []
    for routes, headers in askers:
        for route in routes:
            if route.method == "GET" and not UNMEASURED.search(route.path):
                path = re.sub(r"\{(\w+)\}", lambda found: names[found[1]], route.path)
                views += [
                    View(what=w, path=path + q, headers=headers) for w, q in _queries(route.path, moments)
                ]
    return views


async def _signed_in(session: aiohttp.ClientSession, path: str, key: str) -> dict[str, str]:
    """Sign in with a key. Return the header with the cookie."""
    async with session.post(path, data={"key": key}, allow_redirects=False) as response:
        assert response.cookies, (path, response.status)
        return {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in response.cookies.items())}


def _queries(path: str, moments: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the queries with which to ask for a route, with what they are."""
    if path not in REFUSE_ALL:
        yield f"`{path}`", ""
    if path in FILTERED + REFUSE_ALL:
        for what, query in FILTERS.items():
            yield f"`{path}`: {what}", "?" + query.format(**moments)


async def _ask(session: aiohttp.ClientSession, view: View, requests: int) -> list[float]:
    """Return the milliseconds of each request."""
    times = []
    for _ in range(requests):
        started = time.perf_counter()
        async with session.get(view.path, headers=view.headers, allow_redirects=False) as response:
            content = await response.read()
        times.append((time.perf_counter() - started) * 1e3)
        assert response.status == 200, (view.path, response.status, content[:500])
    return times


def _p95(values: list[float]) -> float:
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]
