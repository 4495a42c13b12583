"""contacts.upsert: several small jobs, possibly of several accounts, take one COPY and one statement."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.ids import AccountId
from schemas.operations import Operation
from storage.entities import upsert
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.contacts_upsert import ContactsUpsert
from worker.operations.resolve import Targets, merge_by_phone
from worker.operations.upsert_rows import columns_of, has_null, results_of

# Fields that need more than the upsert: a look at other contacts, at the definitions, or at the channels.
ALONE = frozenset(("external_id", "properties", "default_channel_id"))

Job = tuple[JobFacts, Sequence[Indexed]]
Phone = tuple[AccountId, str]


@dataclass(slots=True)
class _Group:
    """Jobs to apply at once, by position. No two of them name the same contact, so their order is free."""

    jobs: list[tuple[int, JobFacts, Targets]] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)
    phones: set[Phone] = field(default_factory=set)


class SeveralUpserts(ContactsUpsert):
    """Create or update the contacts of one job, or of several small jobs at once."""

    async def apply_jobs(self, conn: Conn, jobs: Sequence[Job]) -> list[Applied]:
        """See the base class. Jobs that name different contacts are staged and upserted together."""
        applied: dict[int, Applied] = {}
        group = _Group()
        staged = False
        for position, (job, items) in enumerate(jobs):
            fields: set[str] = set().union(*(item for _, item in items))
            targets = _simple(items, fields)
            phones = {(job.account_id, phone) for phone in targets.phones} if targets else set()
            if targets is None or not group.phones.isdisjoint(phones):
                staged = await _apply_group(conn, group, applied, staged=staged)
                group = _Group()
            if targets is None:
                if staged or position:
                    await upsert.empty_stage(conn, job.job_id)
                applied[position] = await self.apply(conn, job, items)
                staged = True
            else:
                group.jobs.append((position, job, targets))
                group.fields |= fields
                group.phones |= phones
        await _apply_group(conn, group, applied, staged=staged)
        return [applied[position] for position in range(len(jobs))]


def _simple(items: Sequence[Indexed], fields: set[str]) -> Targets | None:
    """Return the contacts of a job that needs nothing but the upsert, or None."""
    if not ALONE.isdisjoint(fields):
        return None
    targets = merge_by_phone(items)
    return None if any(map(has_null, targets.items)) else targets


async def _apply_group(conn: Conn, group: _Group, applied: dict[int, Applied], *, staged: bool) -> bool:
    """Apply a group and store its effect by position. Return whether the staging table is in use."""
    items = [item for _, _, targets in group.jobs for item in targets.items]
    if not items:
        applied |= {position: Applied() for position, _, _ in group.jobs}
        return staged
    if staged:
        await upsert.empty_stage(conn, group.jobs[0][1].job_id)
    owners = [job.account_id for _, job, targets in group.jobs for _ in targets.phones]
    job_ids = [job.job_id for _, job, targets in group.jobs for _ in targets.phones]
    columns, _ = columns_of(items, group.fields)
    await upsert.stage(conn, {"account_id": owners, "job_id": job_ids, **columns})
    written = await upsert.upsert_several(conn)
    unwritten = [
        (owner, phone)
        for owner, phone in zip(owners, columns["phone"], strict=True)
        if owner not in written or phone not in written[owner].ids
    ]
    ids = await upsert.ids_in_accounts(conn, unwritten) if unwritten else {}
    for position, job, of_job in group.jobs:
        rows = written.get(job.account_id, upsert.NOTHING_WRITTEN)
        results = results_of(of_job, rows, set(), ids.get(job.account_id, {}))
        applied[position] = Applied(results=results)
    return True


OPERATIONS = {Operation.CONTACTS_UPSERT: SeveralUpserts()}
