"""contacts.delete: delete contacts, with their memberships and opt-ins."""

from collections.abc import Sequence

from storage.entities import contacts
from storage.entities.references import Lock
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.by_reference import ByReference, answers_of, find, not_found


class ContactsDelete(ByReference):
    """See `worker.operations.OperationModule`. A contact that is deleted is an updated one."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Lock, then delete what hangs on the contacts, then the contacts."""
        found, unknown = await find(conn, job, items, Lock.DELETE)
        ids = [one.contact_id for one in found]
        if ids:
            await contacts.delete_many(conn, job.account_id, ids)
        return Applied(answers=answers_of(found, set(ids)), faults=not_found(unknown))


CONTACTS_DELETE = ContactsDelete()
