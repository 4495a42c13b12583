"""labels.attach and labels.detach: attach a label to contacts, or detach it."""

from collections.abc import Iterable, Sequence

from schemas.operations import Operation
from schemas.states import Note, Outcome
from storage.entities import labels, memberships
from storage.entities.references import Lock
from storage.pipeline.chunks import Members
from storage.pipeline.results import ItemResults
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.by_reference import ByReference, Found, find, gone, results_of


class LabelsAttach(ByReference):
    """Attach the label of the job to contacts."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Lock the contacts, then the label. Skip contacts of another team and change the others."""
        label_id = job.params.label_id
        assert label_id is not None
        found, unknown, _ = await find(conn, job, items, Lock.MEMBER)
        label = await labels.lock_shared(conn, job.account_id, label_id)
        if label is None:
            return gone(items, "label")
        others = [contact for contact in found if _of_another_team(contact, label.team_id)]
        matching = [contact for contact in found if not _of_another_team(contact, label.team_id)]
        changed = await self.change(conn, job, label_id, [contact.contact_id for contact in matching])
        return Applied(
            results=results_of(matching, changed) | _skipped(others, unknown),
            members=self.members(len(changed)),
        )

    async def change(self, conn: Conn, job: JobFacts, label_id: int, contact_ids: Sequence[int]) -> set[int]:
        """Attach the label and return the ids of the contacts that did not have it."""
        return await memberships.add(conn, job.account_id, "label", label_id, contact_ids)

    def members(self, changed: int) -> Members:
        """Return the number of memberships that `change` has changed."""
        return Members(added=changed)


class LabelsDetach(LabelsAttach):
    """Detach the label of the job from contacts."""

    async def change(self, conn: Conn, job: JobFacts, label_id: int, contact_ids: Sequence[int]) -> set[int]:
        """Detach the label and return the ids of the contacts that had it."""
        return await memberships.remove(conn, job.account_id, "label", label_id, contact_ids)

    def members(self, changed: int) -> Members:
        """Return the number of memberships that `change` has changed."""
        return Members(removed=changed)


def _of_another_team(contact: Found, team_id: int | None) -> bool:
    """Return whether the contact and the label both have a team, and these differ."""
    return None not in (contact.team_id, team_id) and contact.team_id != team_id


def _skipped(others: Iterable[Found], unknown: Iterable[Indexed]) -> ItemResults:
    """Return one result for each skipped item. Skipped items are not merged, because nothing changes."""
    contact_ids = {index: contact.contact_id for contact in others for index in contact.indexes}
    notes = dict.fromkeys(contact_ids, Note.SKIPPED_TEAM_MISMATCH)
    notes |= {index: Note.SKIPPED_CROSS_ORG for index, _ in unknown}
    return ItemResults(outcomes=dict.fromkeys(notes, Outcome.SKIPPED), contact_ids=contact_ids, notes=notes)


OPERATIONS = {Operation.LABELS_ATTACH: LabelsAttach(), Operation.LABELS_DETACH: LabelsDetach()}
