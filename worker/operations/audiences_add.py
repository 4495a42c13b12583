"""audiences.add: make contacts members of an audience."""

from collections.abc import Sequence

from schemas.operations import Operation
from storage.entities import audiences, memberships
from storage.entities.references import Lock
from storage.pipeline.chunks import Members
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.by_reference import ByReference, find, gone, not_found, results_of


class AudiencesAdd(ByReference):
    """Add contacts to the audience of the job."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Lock the contacts, then the audience. Add the contacts that are not members."""
        audience_id = job.params.audience_id
        assert audience_id is not None
        found, unknown, _ = await find(conn, job, items, Lock.MEMBER)
        if not await audiences.lock_shared(conn, job.account_id, audience_id):
            return gone(items, "audience")
        ids = [contact.contact_id for contact in found]
        added = await memberships.add(conn, job.account_id, "audience", audience_id, ids)
        return Applied(
            results=results_of(found, added),
            faults=not_found(unknown),
            members=Members(added=len(added)),
        )


OPERATIONS = {Operation.AUDIENCES_ADD: AudiencesAdd()}
