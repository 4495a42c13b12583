"""What the state machine knows of its jobs, and how it compares them with the model."""

import copy
import json
from collections import Counter
from typing import Any, ClassVar
from urllib.parse import urlencode

from schemas.ids import JobId, read_job_id
from schemas.states import JobState, Outcome
from storage.pipeline.results import ResultRow
from tests.faults.model import stored
from tests.faults.model.history import History, Run
from tests.faults.model.requests import query_of
from tests.faults.model.world import Targets, World
from tests.integration.api.service import Client, Response
from tests.model.contact import ModelContact
from tests.model.one_by_one import ModelJob, apply_item
from tests.workers import results_of

DONE = """
    SELECT job_id, first_index, items FROM chunks WHERE job_id = ANY ($1) AND state = 'done' ORDER BY applied
"""


class Driver:
    """The jobs of an account, each with its run in the model."""

    world: ClassVar[World]
    client: Client
    targets: Targets
    history: History

    def __init__(self) -> None:
        self.runs: dict[JobId, Run] = {}  # jobs that have not ended
        self.ended: dict[JobId, Run] = {}
        super().__init__()

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        """Send a request with the key of the account."""
        headers = {"Content-Type": "application/json"} | headers
        return self.world.run(self.client.call(method, path, data=body, headers=headers))

    def submit_job(self, job: ModelJob, query: dict[str, Any], chunk_items: int) -> None:
        """Send a bulk request, and cut its job into chunks of at most `chunk_items` items."""
        path = f"/v1/bulk/{job.operation}?{urlencode(query | query_of(job))}"
        self.accepted(self.call("POST", path, json.dumps(job.items).encode()), job, chunk_items)

    def accepted(self, response: Response, job: ModelJob, chunk_items: int) -> None:
        """Remember the job of a 202."""
        assert response.status == 202, response.body
        job_id = read_job_id(response.json["id"])
        assert job_id is not None
        self.world.cut(job_id, chunk_items)
        self.runs[job_id] = Run(job)

    def learn(self) -> None:
        """Apply in the model what is newly applied, in the same order, and end what has ended."""
        rehearsed = {job_id for job_id, run in self.runs.items() if run.job.dry_run}
        for job_id, first, items in self.world.fetch(DONE, [*self.runs.keys() - rehearsed]):
            run = self.runs[job_id]
            if first not in run.applied:
                self.history.apply(run, range(first, first + items))
                if len(run.applied) == len(run.job.items):  # before the next job of its stream
                    self._end_if_ended(job_id, run)
        for job_id, run in list(self.runs.items()):
            self._end_if_ended(job_id, run)
        if not self.runs:
            self.compare()

    def compare(self) -> None:
        """Compare the stored state with the model's."""
        account = self.history.account
        pool, account_id = self.world.ctx.pool, self.client.account.id
        found, expected = self.world.run(stored.read(pool, account_id)), account.plain()
        assert found == expected, "\n".join(stored.differences(found, expected))
        ids = self.world.run(stored.ids(pool, account_id))
        assert account.ids().items() <= ids.items(), "a contact was deleted and created again"

    def has_place(self, contact: ModelContact | None, phone: str | None = None) -> bool:
        """Return whether a change of the contact now has a place in the order: see the package.

        `phone` is the one that the change gives to the contact.
        """
        for run in self.runs.values():
            if run.job.upserts and not run.job.dry_run:
                items = run.job.items
                mine = {i for i, effect in run.effects.items() if contact and effect.contact is contact}
                phones = {phone, contact and contact.phone, *(items[index]["phone"] for index in mine)}
                named = {index for index, item in enumerate(items) if item["phone"] in phones} | mine
                applied, pending = named & run.applied, named - run.applied
                if applied and pending and min(pending) < max(applied):
                    return False
        return True

    def _end_if_ended(self, job_id: JobId, run: Run) -> None:
        if (state := self.world.state(job_id)).ended:
            self._end(job_id, run, state)

    def _end(self, job_id: JobId, run: Run, state: JobState) -> None:
        self.ended[job_id] = self.runs.pop(job_id)
        results = self.world.run(results_of(self.world.ctx, self.client.account.id, job_id))
        cancelled = state is JobState.CANCELLED
        if run.job.dry_run:
            if cancelled:
                return
            self._rehearse(run)
        else:
            assert {
                result.index for result in results if result.outcome is not Outcome.CANCELLED
            } == run.applied
            self.history.end(run, cancelled=cancelled)
        _check_results(run, [result for result in results if result.index in run.applied])

    def _rehearse(self, run: Run) -> None:
        """Give a dry run the effects that it would have now, without applying them."""
        account = copy.deepcopy(self.history.account)
        for index, item in enumerate(run.job.items):
            run.applied.add(index)
            run.effects[index] = apply_item(account, run.job, item)


def _check_results(run: Run, results: list[ResultRow]) -> None:
    """Compare the results of the applied items with the effects in the model."""
    expected = {
        index: effect.code for index, effect in run.effects.items() if effect.word in ("failed", "skipped")
    }
    got = {
        result.index: result.code for result in results if result.outcome in (Outcome.FAILED, Outcome.SKIPPED)
    }
    assert got == expected, f"{run.job}: stored {got}, the model {expected}"
    created = Counter(effect.word for effect in run.effects.values())["created"]
    assert Counter(result.outcome.word for result in results)["created"] == created, f"{run.job}: {created}"
