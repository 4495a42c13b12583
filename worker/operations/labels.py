"""labels.attach and labels.detach: attach a label to contacts, or detach it."""

from collections.abc import Iterable, Sequence

from schemas.operations import Operation
from schemas.states import Note, Outcome
from storage.entities import labels, memberships
from storage.entities.references import Lock
from storage.pipeline.chunks import Members
from storage.pipeline.results import ItemResult
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.by_reference import ByReference, Found, find, gone, results_of


class LabelsAttach(ByReference):
    """Attach the label of the job to contacts."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Lock the contacts, then the label; skip contacts of another team; change the others."""
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
            results=results_of(fitting, changed) | _skipped(others, unknown),
            members=self.members(len(changed)),
        )

    async def change(self, conn: Conn, job: JobFacts, label_id: int, contact_ids: Sequence[int]) -> set[int]:
        """Attach the label: the ids of the contacts that had it not."""
        return await memberships.add(conn, job.account_id, "label", label_id, contact_ids)

    def members(self, changed: int) -> Members:
        """Count the memberships that `change` has changed."""
        return Members(added=changed)


class LabelsDetach(LabelsAttach):
    """Detach the label of the job from contacts."""

    async def change(self, conn: Conn, job: JobFacts, label_id: int, contact_ids: Sequence[int]) -> set[int]:
        """Detach the label: the ids of the contacts that had it."""
        return await memberships.remove(conn, job.account_id, "label", label_id, contact_ids)

    def members(self, changed: int) -> Members:
        """Count the memberships that `change` has changed."""
        return Members(removed=changed)


def _of_another_team(one: Found, team_id: int | None) -> bool:
    """Whether label and contact each have a team, and not the same."""
    return None not in (one.team_id, team_id) and one.team_id != team_id


def _skipped(others: Iterable[Found], unknown: Iterable[Indexed]) -> dict[int, ItemResult]:
    """Give each skipped item a result of its own: nothing is merged where nothing is done."""
    results = {
        index: ItemResult(Outcome.SKIPPED, one.contact_id, note=Note.SKIPPED_TEAM_MISMATCH)
        for one in others
        for index in one.indexes
    }
    return results | {index: ItemResult(Outcome.SKIPPED, note=Note.SKIPPED_CROSS_ORG) for index, _ in unknown}


OPERATIONS = {Operation.LABELS_ATTACH: LabelsAttach(), Operation.LABELS_DETACH: LabelsDetach()}
