"""jobs.undo: give the contacts of a job back what they had before it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from schemas.ids import JobId
from schemas.items.faults import Fault
from schemas.items.reader import Run
from schemas.items.undone import UndoItem
from schemas.operations import JobParams, Operation
from schemas.states import Note
from storage.entities import channels, contacts
from storage.pipeline.chunks import Members
from storage.pipeline.results import ItemResults
from storage.postgres.array_texts import array_text
from storage.postgres.pool import Conn
from storage.undo import job_images, restoring
from storage.undo.job_images import CONTACT, Image
from worker.operations.base import Applied, BaseOperation, Indexed, JobFacts
from worker.undo.collisions import fail_taken, wanted_of
from worker.undo.json_values import read_object, write_value
from worker.undo.plan import COLUMNS, OWNED, UndoFacts, UndoPlan, plan_undo


class JobsUndo(BaseOperation):
    """Undo the changes of a job, contact by contact."""

    settles = False  # each item is another contact

    def preparer(self, params: JobParams, run: Run) -> Callable[[UndoItem, int], UndoItem | Fault]:
        """Return a function that returns the item: the api has written it."""
        return lambda item, position: item

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Read the images, lock channels, contacts and owners in this order, decide, and restore."""
        assert job.params.undoes is not None
        undone = [item for _, item in items]
        numbers = {number for item in undone for number in item["images"]}
        contacts = {item["contact"] for item in undone}
        found = await job_images.read(conn, job.account_id, JobId(job.params.undoes), numbers, contacts)
        named = _owners_in(found.values())
        facts = await _lock(conn, job, undone, found, named)
        plan = plan_undo(undone, facts)
        if wanted := wanted_of(plan):
            phones, external_ids = (
                [one.value for one in wanted if one.field == name] for name in ("phone", "external_id")
            )
            fail_taken(plan, wanted, await restoring.holders(conn, job.account_id, phones, external_ids))
        members = await _restore(conn, job, plan, facts)
        return _applied(items, plan, members)


async def _lock(
    conn: Conn,
    job: JobFacts,
    items: Sequence[UndoItem],
    found: Mapping[int, Image],
    named: set[str],
) -> UndoFacts:
    """Lock channels, then contacts, then owners, and read what is there now."""
    account_id = job.account_id
    channel_ids = [UUID(name.removeprefix("channel:")) for name in named if name.startswith("channel:")]
    owners = set()
    if channel_ids:
        existing = await channels.lock_many_shared(conn, account_id, channel_ids)
        owners = {f"channel:{channel_id}" for channel_id in existing}
    ids = [item["contact"] for item in items]
    fields = COLUMNS & {image.field for image in found.values()}
    locked = await restoring.lock_current(conn, account_id, job.job_id, ids, fields)
    if others := {name for name in named if not name.startswith("channel:")}:
        owners |= await restoring.lock_owners(conn, account_id, others)
    whole = [image for image in found.values() if image.field == CONTACT]
    every = {id_: item.get("created", False) for id_, item in zip(ids, items, strict=True)}
    every |= {id_: True for image in whole for id_ in image.places}  # they may have to be deleted, too
    links = {}
    if named or any(every.values()):
        links = await restoring.links(conn, account_id, every, named)
    return UndoFacts(images=found, locked=locked, links=links, owners=owners, force=job.params.force)


def _owners_in(found: Iterable[Image]) -> set[str]:
    """Return the owners that the images name: those of links, of columns, and of contacts to put back."""
    owners: set[str] = set()
    for image in found:
        if image.field in OWNED:
            owners |= {f"{OWNED[image.field]}:{value}" for value in image.old if value is not None}
        elif image.field == CONTACT:
            for row in map(read_object, image.old):
                owners |= {f"{kind}:{row[name]}" for name, kind in OWNED.items() if row.get(name) is not None}
        elif image.field not in COLUMNS:
            owners.add(image.field)
    return owners


async def _restore(conn: Conn, job: JobFacts, plan: UndoPlan, facts: UndoFacts) -> Members:
    """Write a plan: deletions first, because they free phones and external ids."""
    account_id, locked = job.account_id, facts.locked
    if plan.deleted:
        deleted = sorted(plan.deleted)
        places = array_text([locked.places[locked.positions[contact]] for contact in deleted])
        await contacts.delete_many(conn, account_id, deleted, places)
    if plan.fields:
        await restoring.set_fields(conn, account_id, plan.fields)
    if plan.rows:
        rows = {contact_id: write_value(row) for contact_id, row in plan.rows.items()}
        await restoring.put_back(conn, account_id, job.job_id, rows)
    wanted = [link for links in plan.links.values() for link in links]
    added, removed = await restoring.set_links(conn, account_id, wanted) if wanted else (0, 0)
    return Members(added=added, removed=removed)


def _applied(items: Sequence[Indexed], plan: UndoPlan, members: Members) -> Applied:
    results, faults = ItemResults(), {}
    for index, item in items:
        contact_id = item["contact"]
        if fault := plan.faults.get(contact_id):
            faults[index] = fault
            continue
        results.outcomes[index] = plan.outcomes[contact_id]
        results.contact_ids[index] = contact_id
        if kept := plan.kept.get(contact_id):
            results.notes[index] = Note.KEPT_CHANGED_SINCE
            results.fields[index] = kept
    return Applied(results=results, faults=faults, members=members)


OPERATIONS = {Operation.JOBS_UNDO: JobsUndo()}
