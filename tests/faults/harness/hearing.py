"""Webhooks of the clients of a cluster, whose endpoint fails at random, and what it must have heard."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from aiohttp import web

from schemas.ids import AccountId, show_job_id, show_message_id
from tests.faults.harness.client import PatientClient
from tests.faults.harness.cluster import Cluster
from tests.receiver import Received, Receiver, receiving
from tests.waiting import until

HOOKS = {"in-order": True, "any": False}  # whether each is ordered
HEARD_SECONDS = 60.0
SLOW_SECONDS = 0.2
THROTTLED = "job.throttled"
OPEN = """
    SELECT count(*) AS n FROM webhook_deliveries
    WHERE account_id = ANY ($1) AND state NOT IN ('delivered', 'failed')
"""
DELIVERIES = """
    SELECT webhook_id, id, event, job_id, state FROM webhook_deliveries WHERE account_id = $1 ORDER BY number
"""
# Jobs that the pipeline has ended, in the order of their streams. Others may end while an earlier one runs.
JOBS = """
    SELECT id, state, stream, NOT dry_run AND state IN ('completed', 'completed_with_errors') AS in_order
    FROM jobs WHERE account_id = $1 AND finished_at IS NOT NULL ORDER BY stream_position
"""


@dataclass(frozen=True, slots=True)
class Ears:
    """What the endpoint of some clients has heard. Make it with `hearing`."""

    running: Cluster
    clients: Sequence[PatientClient]
    receiver: Receiver

    async def hold(self) -> None:
        """Wait until all messages are delivered, and assert that they are right."""
        await self.heard()
        assert not (lines := await self.violations()), "\n".join(lines)

    async def heard(self, seconds: float = HEARD_SECONDS) -> None:
        """Wait until no message waits. Raises TimeoutError after `seconds`."""
        accounts = [client.account_id for client in self.clients]

        async def none_waits() -> bool:
            ((open_,),) = await self.running.sql(OPEN, accounts)
            return bool(open_ == 0)

        await until(none_waits, seconds)

    async def violations(self) -> list[str]:
        """Return a line for each end of a job that was not told once, under one id, and in its order."""
        lines = []
        for client in self.clients:
            jobs = await self.running.sql(JOBS, client.account_id)
            rows = await self.running.sql(DELIVERIES, client.account_id)
            for name, ordered in HOOKS.items():
                own = [row for row in rows if row["webhook_id"] == name]
                heard = Heard(self.receiver, path_of(client.account_id, name))
                wrong = [*heard.untold(jobs), *heard.unlike(own)]
                wrong += heard.disordered(own, jobs) if ordered else []
                lines += [f"webhook {name} of account {client.account_id}: {line}" for line in wrong]
        return lines


class Heard:
    """What one webhook has heard."""

    def __init__(self, receiver: Receiver, path: str) -> None:
        self.ids: dict[tuple[str, str], set[str]] = defaultdict(set)  # by job and type
        self.states: dict[tuple[str, str], str] = {}
        for attempt in (one for one in receiver.received if one.path == path):
            told = attempt.json["data"]["id"], attempt.json["type"]
            self.ids[told].add(attempt.id)
            self.states[told] = attempt.json["data"]["state"]
        # the ids in the order in which the endpoint has taken each first
        self.taken = list(dict.fromkeys(one.id for one in receiver.taken if one.path == path))

    def untold(self, jobs: Sequence[asyncpg.Record]) -> Iterator[str]:
        """Each job that has ended was told once, under one id, with its own end, and no other job was."""
        expected = {(show_job_id(job["id"]), f"job.{job['state']}") for job in jobs}
        told = {key for key in self.ids if key[1] != THROTTLED}
        yield from (f"not told: {key}" for key in expected - told)
        yield from (f"told, but not so: {key}" for key in told - expected)
        for key, ids in self.ids.items():
            if key[1] != THROTTLED and len(ids) > 1:
                yield f"told under several ids: {key}: {ids}"
            if key[1] != THROTTLED and key[1] != f"job.{self.states[key]}":
                yield f"told as {key[1]}, with a job that is {self.states[key]}: {key[0]}"

    def unlike(self, deliveries: Sequence[asyncpg.Record]) -> Iterator[str]:
        """Each message was taken, and its id stands for it alone."""
        stored = {show_message_id(row["id"]): row for row in deliveries}
        yield from (f"not delivered: {dict(row)}" for row in deliveries if row["state"] != "delivered")
        yield from (f"never taken: {dict(stored[id_])}" for id_ in stored.keys() - set(self.taken))
        for (job, event), ids in self.ids.items():
            for id_ in ids:
                row = stored.get(id_)
                if row is None or (show_job_id(row["job_id"]), row["event"]) != (job, event):
                    yield f"the id {id_} was used for {event} of {job}, stored: {row and dict(row)}"

    def disordered(
        self, deliveries: Sequence[asyncpg.Record], jobs: Sequence[asyncpg.Record]
    ) -> Iterator[str]:
        """Messages were first taken in the order of events, and these are in the order of the streams."""
        order = [show_message_id(row["id"]) for row in deliveries]
        if self.taken != order:
            pairs = enumerate(zip(self.taken, order, strict=False))
            first = next((n for n, pair in pairs if pair[0] != pair[1]), "the end")
            yield f"taken in another order than that of the events, from message {first} on"
        ends = [row["job_id"] for row in deliveries if row["event"] != THROTTLED]
        places: dict[Any, int] = {job: place for place, job in enumerate(ends)}
        last: dict[str, int] = {}
        for job in (job for job in jobs if job["in_order"] and job["id"] in places):
            if places[job["id"]] < last.get(job["stream"], -1):
                yield f"the job {show_job_id(job['id'])} was told before one that was ahead of it"
            last[job["stream"]] = places[job["id"]]


@asynccontextmanager
async def hearing(running: Cluster, *clients: PatientClient) -> AsyncIterator[Ears]:
    """Make the webhooks of the clients, and receive while the body runs."""
    async with receiving() as receiver:
        receiver.answer = fail_at_random
        for client in clients:
            for name, ordered in HOOKS.items():
                body = {"url": receiver.url(path_of(client.account_id, name)), "ordered": ordered}
                response = await client.call("PUT", f"/v1/webhooks/{name}", json=body)
                assert response.status in {200, 201}, response
        yield Ears(running, clients, receiver)


def path_of(account_id: AccountId, name: str) -> str:
    """Return the path of a webhook at the endpoint."""
    return f"/{account_id}/{name}"


async def fail_at_random(_: Received) -> web.StreamResponse:
    """Take somewhat more than half of the attempts, some of them slowly."""
    status = random.choice((204, 204, 204, 200, 500, 503, 302))
    if random.random() < 0.1:
        await asyncio.sleep(SLOW_SECONDS)
    return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})
