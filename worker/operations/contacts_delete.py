"""contacts.delete: delete contacts, with their memberships and opt-ins."""

from collections.abc import Sequence

from storage import contacts
from storage.pool import Conn
from storage.references import Lock
from worker.operations import Applied, Indexed, JobFacts
from worker.operations.by_reference import ByReference, answers_of, find, not_found


class ContactsDelete(ByReference):
    """See `worker.operations.OperationModule`. A contact that is deleted is an updated one."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Lock, then delete what hangs on the contacts, then the contacts."""
        found, unknown = await find(conn, job, items, Lock.DELETE)
        ids = [one.contact_id for one in found]
        if ids:
            await contacts.delete(conn, job.account_id, ids)
        return Applied(answers=answers_of(found, set(ids)), faults=not_found(unknown))


CONTACTS_DELETE = ContactsDelete()
