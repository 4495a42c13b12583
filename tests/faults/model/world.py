"""A running api, the functions of a worker, and one account for each example of the state machine."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp

from schemas.ids import AccountId, JobId, show_id
from schemas.settings import Settings
from schemas.states import JobState
from storage.context import Context
from storage.pipeline.chunks import Claim
from tests.factories import make_audience, make_channel, make_label, make_list, make_property, make_team
from tests.faults.model import stored
from tests.integration.api.service import Client, make_client, serve
from tests.model.account import Surroundings
from tests.workers import open_worker

# Chunks of a few items, so that a job has several. A chunk is a range of a part: any cut is valid.
CUT = """
    WITH cut AS (
        UPDATE chunks SET items = least(items, $2) WHERE job_id = $1 AND state = 'ready' AND items > $2
        RETURNING account_id, job_id, part, first_index, byte_start, byte_end, skip,
            (SELECT c.items FROM chunks c WHERE c.job_id = $1 AND c.first_index = chunks.first_index) AS whole
    )
    INSERT INTO chunks (account_id, job_id, part, first_index, byte_start, byte_end, skip, items)
    SELECT account_id, job_id, part, first_index + k, byte_start, byte_end, skip + k, least($2, whole - k)
    FROM cut, generate_series($2, whole - 1, $2) k
"""
FREE = """
    UPDATE chunks SET state = 'ready', worker_id = NULL, lease_until = NULL
    WHERE job_id = $1 AND first_index = $2 AND token = $3 AND state = 'running'
"""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the requests of an example refer to."""

    lists: tuple[int, ...]
    labels: dict[int, int | None]  # to the team
    audiences: tuple[int, ...]
    teams: tuple[int, ...]
    channels: tuple[str, ...]
    properties: dict[str, str]

    def surroundings(self) -> Surroundings:
        """Return a copy for a model, which changes it."""
        return Surroundings(
            properties=self.properties,
            labels=dict(self.labels),
            audiences=set(self.audiences),
            channels=set(self.channels),
        )


class World:
    """The api and a worker in the event loop of `runner`. The methods are synchronous, for hypothesis."""

    def __init__(self, runner: asyncio.Runner, ctx: Context, session: aiohttp.ClientSession) -> None:
        self.run = runner.run
        self.ctx = ctx
        self._session = session

    def make_client(self) -> Client:
        """Create an account with a key and without limits."""
        return self.run(make_client(self.ctx, self._session))

    def make_targets(self, account_id: AccountId, properties: dict[str, str]) -> Targets:
        """Create two of each kind; one label belongs to a team."""
        return self.run(make_targets(self.ctx, account_id, properties))

    def cut(self, job_id: JobId, items: int) -> None:
        """Cut the chunks of a job that are not claimed yet into smaller ones."""
        self.run(self.ctx.pool.execute(CUT, job_id, items))

    def free(self, claim: Claim) -> None:
        """Make a claimed chunk ready again, as the reconciler does when its lease has ended."""
        self.run(self.ctx.pool.execute(FREE, claim.job_id, claim.first_index, claim.token))

    def contact_id(self, account_id: AccountId, phone: str) -> int:
        """Return the id of the contact that has a phone."""
        id_: int = self.run(stored.ids(self.ctx.pool, account_id))[phone]
        return id_

    def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """Run a query."""
        return self.run(self.ctx.pool.fetch(sql, *arguments))

    def state(self, job_id: JobId) -> JobState:
        """Return the state of a job."""
        return JobState(self.run(self.ctx.pool.fetchval("SELECT state FROM jobs WHERE id = $1", job_id)))


async def make_targets(ctx: Context, account_id: AccountId, properties: dict[str, str]) -> Targets:
    """Create two of each kind; one label belongs to a team."""
    for name, type_ in properties.items():
        await make_property(ctx, account_id, name, type_)
    teams = (await make_team(ctx, account_id), await make_team(ctx, account_id))
    labels = {
        await make_label(ctx, account_id): None,
        await make_label(ctx, account_id, teams[0]): teams[0],
    }
    return Targets(
        lists=(await make_list(ctx, account_id), await make_list(ctx, account_id)),
        labels=labels,
        audiences=(await make_audience(ctx, account_id), await make_audience(ctx, account_id)),
        teams=teams,
        channels=tuple([str(await make_channel(ctx, account_id, uuid4())) for _ in range(2)]),
        properties=properties,
    )


@contextmanager
def open_world(settings: Settings) -> Iterator[World]:
    """Serve the api and open a worker, in an event loop that runs only during the methods of the world."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def open_() -> World:
            ctx = await stack.enter_async_context(open_worker(settings))
            service = await stack.enter_async_context(serve(settings))
            url = f"http://127.0.0.1:{service.port}"
            session = await stack.enter_async_context(aiohttp.ClientSession(base_url=url))
            return World(runner, ctx, session)

        try:
            yield runner.run(open_())
        finally:
            runner.run(stack.aclose())


def rest_body(body: dict[str, Any]) -> bytes:
    """Return the JSON of a body whose `teamId` is a number."""
    team = body.get("teamId")
    return json.dumps(body | ({"teamId": show_id("team", team)} if team else {})).encode()
