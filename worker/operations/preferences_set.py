"""preferences.set: set the communication preference of contacts."""

from collections.abc import Sequence

from schemas.operations import Operation
from storage.entities import contacts
from storage.entities.references import Lock
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.by_reference import ByReference, find, not_found, results_of


class PreferencesSet(ByReference):
    """Set the communication preference of contacts."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Lock the contacts, then set the preference. `opted_out` is a separate field and does not change."""
        preference = job.params.preference
        assert preference is not None
        found, unknown, places = await find(conn, job, items, Lock.CHANGE)
        changed = await contacts.set_preference(
            conn, job.account_id, places, preference, job.params.default_preference
        )
        return Applied(results=results_of(found, changed), faults=not_found(unknown))


OPERATIONS = {Operation.PREFERENCES_SET: PreferencesSet()}
