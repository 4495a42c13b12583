"""contacts.delete: delete contacts, with their memberships and opt-ins."""

from collections.abc import Sequence

from schemas.operations import Operation
from storage.entities import contacts
from storage.entities.references import Lock
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.by_reference import ByReference, find, not_found, results_of


class ContactsDelete(ByReference):
    """Delete contacts. The outcome of a deleted contact is `updated`."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Lock the contacts, then delete their memberships and opt-ins, then the contacts."""
        found, unknown, places = await find(conn, job, items, Lock.DELETE)
        ids = [contact.contact_id for contact in found]
        if ids:
            await contacts.delete_many(conn, job.account_id, ids, places)
        return Applied(results=results_of(found, set(ids)), faults=not_found(unknown))


OPERATIONS = {Operation.CONTACTS_DELETE: ContactsDelete()}
