"""lists.add, lists.remove and lists.overwrite: create or update contacts, then change who is in the list."""

from collections.abc import Sequence
from uuid import UUID

from schemas.states import Note, Outcome
from storage.entities import channels, memberships, opt_ins
from storage.pipeline.chunks import Members
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.contacts_upsert import ContactsUpsert


class ListsAdd(ContactsUpsert):
    """See `worker.operations.OperationModule`.

    A list is never deleted, and the upsert has locked every contact: so nothing more is locked for members.
    """

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Upsert, opt in, add. The list's own row comes last: its count stays locked to the end."""
        params = job.params
        channel_ids: list[UUID] = []
        if params.channels:  # before the contacts: whoever deletes a channel comes to its contacts last
            channel_ids = await channels.lock_many_shared(conn, job.account_id, params.channels)
        applied = await super().apply(conn, job, items)
        contact_ids = _contacts_of(applied)
        if not contact_ids:
            return applied
        opted_in, kept = await opt_ins.opt_in(
            conn, job.account_id, contact_ids, channel_ids, override=params.override_opt_outs
        )
        added = await memberships.add(conn, job.account_id, "list", _list_of(job), contact_ids)
        _tell(applied, opted_in | added, kept)
        applied.members = Members(added=len(added))
        return applied


class ListsOverwrite(ListsAdd):
    """The same; then those who were not named go, all at once, so that nobody ever sees an empty list."""

    async def close(self, conn: Conn, job: JobFacts) -> Members:
        """Remove the members that no item has named."""
        removed = await memberships.remove_unnamed(conn, job.account_id, "list", _list_of(job), job.job_id)
        return Members(removed=removed)


class ListsRemove(ContactsUpsert):
    """See `worker.operations.OperationModule`. It opts nobody in, and nobody out."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Upsert, remove."""
        applied = await super().apply(conn, job, items)
        contact_ids = _contacts_of(applied)
        if not contact_ids:
            return applied
        removed = await memberships.remove(conn, job.account_id, "list", _list_of(job), contact_ids)
        _tell(applied, removed, set())
        applied.members = Members(removed=len(removed))
        return applied


def _list_of(job: JobFacts) -> int:
    assert job.params.list_id is not None
    return job.params.list_id


def _contacts_of(applied: Applied) -> list[int]:
    return list({answer.contact_id for answer in applied.answers.values() if answer.contact_id is not None})


def _tell(applied: Applied, changed: set[int], kept: set[int]) -> None:
    """Correct the answers of the upsert: more than the contact itself may have changed."""
    for index, answer in applied.answers.items():
        if answer.outcome is Outcome.MERGED:
            continue
        touched = answer.outcome is Outcome.UNCHANGED and answer.contact_id in changed
        applied.answers[index] = answer._replace(
            outcome=Outcome.UPDATED if touched else answer.outcome,
            note=Note.KEPT_OPTED_OUT if answer.contact_id in kept else None,
        )


LISTS_ADD = ListsAdd()
LISTS_REMOVE = ListsRemove()
LISTS_OVERWRITE = ListsOverwrite()
