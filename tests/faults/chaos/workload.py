"""The clients of one account: bulk jobs of all operations and REST changes, each remembered for the model.

The requests are chosen so that their effect does not depend on timing that no client can see:

- The first job creates contacts that are never deleted; the jobs of all streams change them.
- Others are created and deleted by jobs of the stream `contacts` alone.
- An effect job writes new contacts, each once, so that a second application is seen.
- A late job names a new contact in two chunks. When these are applied, while the job may still run, a client
  changes, deletes or opts out the contact over REST. This must stay.
- Others are changed over REST alone.
- Only jobs whose effect no test counts may be stopped: by `max_errors`, alone, or with all that have a tag.

What became of each item of a stopped job is read from its results.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from urllib.parse import urlencode

from schemas.ids import read_job_id
from schemas.operations import Operation
from tests.factories import phone
from tests.faults.chaos.jobs import AGAIN, STOPPABLE, JobMaker, as_csv
from tests.faults.chaos.looking import look
from tests.faults.harness.client import PatientClient, ndjson
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.following import PatientReader
from tests.faults.model.requests import query_of
from tests.faults.model.world import Targets
from tests.model.account import ModelAccount
from tests.model.one_by_one import Effect, ModelJob

REST = range(2_000, 2_040)
MOST_UNFINISHED = 3  # jobs that a client has in flight
LATE_SHARE = 0.15  # of the jobs
ANSWER_SECONDS = 900.0  # a busy machine is slow; what is stuck is found at the end of a run
PLACES_APPLIED = """
    SELECT count(DISTINCT place) AS n FROM outcomes o, unnest($2::int[]) place
    WHERE o.job_id = $1 AND place >= o.first_index AND place < o.first_index + cardinality(o.outcomes)
"""
ID_OF = "SELECT id FROM contacts WHERE account_id = $1 AND phone = $2"

Change = Callable[[ModelAccount], None]


@dataclass(eq=False, slots=True)
class Sent:
    """An accepted job, and the REST changes that were made after its items were applied.

    The items of a retry are those of `parent` that failed.
    """

    id: str
    job: ModelJob
    asked: dict[str, str]  # the parameters of its query
    parent: "Sent | None" = None
    changes: list[Change] = field(default_factory=list)
    effects: list[tuple[dict[str, Any], Effect]] = field(
        default_factory=list
    )  # in the model, of applied items


class Workload:
    """Sends the requests of one account until `items` items are accepted or it is told to stop."""

    def __init__(
        self, cluster: Cluster, client: PatientClient, targets: Targets, seed: str, items: int
    ) -> None:
        self.cluster = cluster
        self.client = client
        self.events = PatientReader(client)
        self.targets = targets
        self.rng = random.Random(seed)
        self.left = items
        self.sent: list[Sent] = []
        self.rest_changes: list[Change] = []
        self.jobs = JobMaker(self.rng, targets)

    async def begin(self) -> None:
        """Create the stable contacts, before any other stream names them."""
        sent = await self.submit(self.jobs.first())
        await self.client.ended(sent.id, seconds=ANSWER_SECONDS)

    async def work(self, seconds: float) -> None:
        """Send jobs at an even pace over `seconds`, and REST changes meanwhile."""
        clock = asyncio.get_running_loop().time
        started, whole = clock(), self.left
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rest(started + seconds))
            while self.left > 0 and clock() - started < seconds:
                due = started + (whole - self.left) / whole * seconds
                await asyncio.sleep(max(0.0, due - clock()))
                await (self._late() if self.rng.random() < LATE_SHARE else self.one_job())

    async def one_job(self) -> None:
        """Send a job, and sometimes cancel or retry it."""
        job = self.jobs.next()
        plain = "nickname" not in job.items[0]
        job = replace(job, dry_run=plain and self.rng.random() < 0.06)
        sent = await self.submit(job, self.jobs.labelled(job, stoppable=plain))
        if self.rng.random() < 0.08:
            await self._act_on_many()
        if plain and not job.dry_run and self.rng.random() < 0.08:
            await asyncio.sleep(self.rng.random())
            await self.client.call("POST", f"/v1/jobs/{sent.id}/cancel", seconds=ANSWER_SECONDS)
        if len(self.client.accepted) % MOST_UNFINISHED == 0:
            await self.client.ended(sent.id, seconds=ANSWER_SECONDS)
        if plain and not job.dry_run and self.rng.random() < 0.1:
            await self._retry(sent)

    async def submit(self, job: ModelJob, asked: dict[str, str] | None = None) -> Sent:
        """Submit a job, which the model sees."""
        asked = query_of(job) | (asked or {}) | {"parallel": str(self.rng.choice([1, 2, 4]))}
        body, kind = ndjson(job.items), "application/x-ndjson"
        if not job.upserts and self.rng.random() < 0.3:
            body, kind, asked = as_csv(job.items), "text/csv", asked | {"unknown_columns": "ignore"}
        self.left -= len(job.items)
        query = "?" + urlencode(asked)
        job_id = await self.client.submit(
            body, job.operation, query, content_type=kind, seconds=ANSWER_SECONDS
        )
        sent = Sent(job_id, job, asked)
        self.sent.append(sent)
        return sent

    async def rename(self, path: str, phone_: str, name: str) -> Change:
        """Rename a contact; return the change for the model."""
        response = await self.client.call("PATCH", path, json={"name": name}, seconds=ANSWER_SECONDS)
        assert response.status == 200, response
        return lambda account: account.patch(phone_, {"name": name})

    async def _act_on_many(self) -> None:
        """Cancel or retry all jobs that have a tag. What an unanswered attempt did is read from the jobs."""
        verb, tag = self.rng.choice([("cancel", STOPPABLE), ("retry", AGAIN)])
        body = {"filter": {"tag": tag}, "preview": False}
        response = await self.client.call("POST", f"/v1/jobs/{verb}", json=body, seconds=ANSWER_SECONDS)
        assert response.status == 200, response
        if verb == "retry":
            self.client.accepted += response.json["jobs"]

    async def _retry(self, sent: Sent) -> None:
        """Retry the failed items of a job, which are those with the phone that is too short."""
        await self.client.ended(sent.id, seconds=ANSWER_SECONDS)
        key = {"Idempotency-Key": f"retry-{sent.id}"}
        path = f"/v1/jobs/{sent.id}/retry"
        response = await self.client.call("POST", path, headers=key, seconds=ANSWER_SECONDS)
        if response.status == 202:
            job_id = response.json["id"]
            self.client.accepted.append(job_id)
            operation = sent.job.operation
            operation = Operation.LISTS_ADD if operation is Operation.LISTS_OVERWRITE else operation
            asked = {name: value for name, value in sent.asked.items() if name in {"name", "tags"}}
            retried = replace(sent.job, operation=operation, items=[])
            self.sent.append(Sent(job_id, retried, asked, parent=sent))

    async def _late(self) -> None:
        """Submit a job that names a contact in several chunks, then change the contact over REST."""
        job, number, places = self.jobs.late()
        sent = await self.submit(job)
        await self._until(PLACES_APPLIED, read_job_id(sent.id), places, value=len(places))
        path = f"/v1/contacts/{await self._until(ID_OF, self.client.account_id, number)}"
        sent.changes.append(await self._change(path, number, f"late {number}"))

    async def _change(self, path: str, phone_: str, name: str) -> Change:
        """Change, delete or opt out a contact; return the change for the model."""
        match self.rng.randrange(3):
            case 0:
                return await self.rename(path, phone_, name)
            case 1:
                response = await self.client.call("DELETE", path, seconds=ANSWER_SECONDS)
                assert response.status in (200, 404), response  # 404: an earlier attempt was not answered
                return lambda account: account.delete(phone_)
            case _:
                channel = self.targets.channels[0]
                body = {"opted_in": False, "by": "contact"}
                url = f"{path}/opt-ins/{channel}"
                response = await self.client.call("PUT", url, json=body, seconds=ANSWER_SECONDS)
                assert response.status == 200, response
                return lambda account: account.put_opt_in(phone_, channel, opted_in=False, by_contact=True)

    async def _until(self, query: str, *arguments: object, value: int | None = None) -> int:
        """Run a query until its first row has the value, or until it has a row; return the value."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                rows = await look(self.cluster.sql(query, *arguments))
                if rows and value in (None, rows[0][0]):
                    return int(rows[0][0])
                await asyncio.sleep(0.1)

    async def _rest(self, until: float) -> None:
        """Create, change and delete contacts that no job names, one after the other."""
        existing: set[int] = set()
        clock = asyncio.get_running_loop().time
        for step in count():
            if clock() >= until:
                return
            await asyncio.sleep(0.5 + 2 * self.rng.random())
            number = self.rng.choice(REST)
            self.rest_changes.append(await self._rest_change(number, step, existing))

    async def _rest_change(self, number: int, step: int, existing: set[int]) -> Change:
        phone_, path = phone(number), f"/v1/contacts/rest-{number}"
        if number not in existing:
            existing.add(number)
            body: dict[str, Any] = {"name": f"n{step}", "phoneNumber": phone_, "externalId": f"rest-{number}"}
            response = await self.client.call("POST", "/v1/contacts", json=body, seconds=ANSWER_SECONDS)
            assert response.status in (201, 409), response  # 409: an earlier attempt was not answered
            return lambda account: account.create(-number, body)
        if self.rng.random() < 0.3:
            existing.remove(number)
            response = await self.client.call("DELETE", path, seconds=ANSWER_SECONDS)
            assert response.status in (200, 404), response
            return lambda account: account.delete(phone_)
        body = {"name": f"n{step}", "metadata": {"step": step, f"k{step % 3}": step}}
        response = await self.client.call("PATCH", path, json=body, seconds=ANSWER_SECONDS)
        assert response.status == 200, response
        return lambda account: account.patch(phone_, body)
