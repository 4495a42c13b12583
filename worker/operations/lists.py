"""lists.add, lists.remove, lists.overwrite: upsert contacts, then change the members of the list."""

from collections.abc import Sequence
from uuid import UUID

from schemas.operations import Operation
from schemas.states import Note, Outcome
from storage.entities import channels, memberships, opt_ins
from storage.pipeline.chunks import Members
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.contacts_upsert import ContactsUpsert


class ListsAdd(ContactsUpsert):
    """Upsert contacts, opt them in, add them to the list of the job.

    Memberships need no further lock, because lists are never deleted and the upsert locks every contact.
    """

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Upsert, opt in, add. The list's row comes last, because its count stays locked until the commit."""
        params = job.params
        channel_ids: list[UUID] = []
        if params.channels:  # locked before the contacts: deleting a channel locks its contacts last
            channel_ids = await channels.lock_many_shared(conn, job.account_id, params.channels)
        applied = await super().apply(conn, job, items)
        contact_ids = _contacts_of(applied)
        if not contact_ids:
            return applied
        opted_in, kept = await opt_ins.opt_in(
            conn, job.account_id, contact_ids, channel_ids, override=params.override_opt_outs
        )
        added = await memberships.add(conn, job.account_id, "list", _list_of(job), contact_ids)
        _correct_results(applied, opted_in | added, kept)
        applied.members = Members(added=len(added))
        return applied


class ListsOverwrite(ListsAdd):
    """Add like ListsAdd, then remove all other members in one statement. Readers never see an empty list."""

    async def close(self, conn: Conn, job: JobFacts) -> Members:
        """Remove the members that no item names."""
        removed = await memberships.remove_unnamed(conn, job.account_id, "list", _list_of(job), job.job_id)
        return Members(removed=removed)


class ListsRemove(ContactsUpsert):
    """Upsert contacts and remove them from the list of the job. Opt-ins do not change."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Upsert the contacts, then remove them from the list."""
        applied = await super().apply(conn, job, items)
        contact_ids = _contacts_of(applied)
        if not contact_ids:
            return applied
        removed = await memberships.remove(conn, job.account_id, "list", _list_of(job), contact_ids)
        _correct_results(applied, removed, set())
        applied.members = Members(removed=len(removed))
        return applied


def _list_of(job: JobFacts) -> int:
    assert job.params.list_id is not None
    return job.params.list_id


def _contacts_of(applied: Applied) -> list[int]:
    return list(set(applied.results.contact_ids.values()))


def _correct_results(applied: Applied, changed: set[int], kept: set[int]) -> None:
    """Correct the results of the upsert, because memberships and opt-ins count as changes, too."""
    results = applied.results
    for index, outcome in results.outcomes.items():
        if outcome is Outcome.UNCHANGED and results.contact_ids[index] in changed:
            results.outcomes[index] = Outcome.UPDATED
        if kept and outcome is not Outcome.MERGED and results.contact_ids[index] in kept:
            results.notes[index] = Note.KEPT_OPTED_OUT


OPERATIONS = {
    Operation.LISTS_ADD: ListsAdd(),
    Operation.LISTS_REMOVE: ListsRemove(),
    Operation.LISTS_OVERWRITE: ListsOverwrite(),
}
