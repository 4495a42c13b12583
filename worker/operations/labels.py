"""labels.attach and labels.detach: contacts carry a label, or no longer."""

from collections.abc import Iterable, Sequence

from schemas.states import Note, Outcome
from storage.entities import labels, memberships
from storage.entities.references import Lock
from storage.pipeline.chunks import Answer, Members
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.by_reference import ByReference, Found, answers_of, find, gone


class LabelsAttach(ByReference):
    """See `worker.operations.OperationModule`."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Lock the contacts, then the label; skip whom it is not for; change what the others carry."""
        label_id = job.params.label_id
        assert label_id is not None
        found, unknown = await find(conn, job, items, Lock.MEMBER)
        label = await labels.lock_shared(conn, job.account_id, label_id)
        if label is None:
            return gone(items, "label")
        others = [one for one in found if _of_another_team(one, label.team_id)]
        fitting = [one for one in found if not _of_another_team(one, label.team_id)]
        changed = await self.change(conn, job, label_id, [one.contact_id for one in fitting])
        return Applied(
            answers=answers_of(fitting, changed) | _skipped(others, unknown),
            members=self.members(len(changed)),
        )

    async def change(self, conn: Conn, job: JobFacts, label_id: int, contact_ids: Sequence[int]) -> set[int]:
        """Whom it has changed."""
        return await memberships.add(conn, job.account_id, "label", label_id, contact_ids)

    def members(self, changed: int) -> Members:
        """The same as a count."""
        return Members(added=changed)


class LabelsDetach(LabelsAttach):
    """The same the other way round."""

    async def change(self, conn: Conn, job: JobFacts, label_id: int, contact_ids: Sequence[int]) -> set[int]:
        """Whom it has changed."""
        return await memberships.remove(conn, job.account_id, "label", label_id, contact_ids)

    def members(self, changed: int) -> Members:
        """The same as a count."""
        return Members(removed=changed)


def _of_another_team(one: Found, team_id: int | None) -> bool:
    """Whether label and contact each have a team, and not the same."""
    return None not in (one.team_id, team_id) and one.team_id != team_id


def _skipped(others: Iterable[Found], unknown: Iterable[Indexed]) -> dict[int, Answer]:
    """Each of them is told for itself: nothing is merged where nothing is done."""
    answers = {
        index: Answer(Outcome.SKIPPED, one.contact_id, note=Note.SKIPPED_TEAM_MISMATCH)
        for one in others
        for index in one.indexes
    }
    return answers | {index: Answer(Outcome.SKIPPED, note=Note.SKIPPED_CROSS_ORG) for index, _ in unknown}


LABELS_ATTACH = LabelsAttach()
LABELS_DETACH = LabelsDetach()
