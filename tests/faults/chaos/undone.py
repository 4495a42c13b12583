"""Jobs that are undone: contacts that no other job names are as if the job had not been, or as after a redo.

A client may change a contact over REST between a job and its undo. This must stay.
"""

from urllib.parse import urlencode

from schemas.operations import Operation
from tests.faults.chaos.workload import ANSWER_SECONDS, ID_OF, Sent, Workload
from tests.faults.harness.client import ndjson
from tests.faults.model.requests import query_of
from tests.model.one_by_one import ModelJob

UNDO_SHARE = 0.08  # of the jobs
REDO_SHARE = 0.4  # of these
KINDS = (Operation.CONTACTS_UPSERT, Operation.LISTS_ADD, Operation.CONTACTS_DELETE)


class UndoingWorkload(Workload):
    """A workload some of whose jobs are undone. The model sees such a job only if its undo was undone."""

    async def one_job(self) -> None:
        """Send a job, or create contacts, change or delete them by another job, and undo that one."""
        if self.rng.random() >= UNDO_SHARE:
            return await super().one_job()
        first, second = self.jobs.undoable(self.rng.choice(KINDS))
        created = await self.submit(first)
        await self.client.ended(created.id, seconds=ANSWER_SECONDS)
        undone = await self._submit_unseen(second)
        is_redone = self.rng.random() < REDO_SHARE
        if not is_redone and second.upserts:
            await self._rename_one(created)
        undo = await self._undo(undone.id)
        if is_redone:
            await self._undo(undo)
            self.sent.append(undone)
        return None

    async def _submit_unseen(self, job: ModelJob) -> Sent:
        self.left -= len(job.items)
        query = query_of(job)
        text = "?" + urlencode(query)
        job_id = await self.client.submit(ndjson(job.items), job.operation, text, seconds=ANSWER_SECONDS)
        await self.client.ended(job_id, seconds=ANSWER_SECONDS)
        return Sent(job_id, job, asked={})

    async def _rename_one(self, created: Sent) -> None:
        number = created.job.items[0]["phone"]
        path = f"/v1/contacts/{await self._until(ID_OF, self.client.account_id, number)}"
        created.changes.append(await self.rename(path, number, "kept"))

    async def _undo(self, job_id: str) -> str:
        """Undo a job; return the id of the undo, when it has ended."""
        key = {"Idempotency-Key": f"undo-{job_id}"}
        path = f"/v1/jobs/{job_id}/undo"
        response = await self.client.call("POST", path, headers=key, seconds=ANSWER_SECONDS)
        assert response.status == 202, response
        undo: str = response.json["id"]
        self.client.accepted.append(undo)
        ended = await self.client.ended(undo, seconds=ANSWER_SECONDS)
        assert ended["state"] == "completed", ended
        self.left -= ended["total"]
        return undo
