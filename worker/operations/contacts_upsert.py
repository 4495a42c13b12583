"""Create or update contacts, matched by external id or phone. The operations on lists begin so, too."""

from collections.abc import Callable, Sequence

from pydantic_core import to_json

from schemas.formats.content_type import Format
from schemas.ids import AccountId
from schemas.item_errors import ItemCode
from schemas.items.contacts import (
    ECHOES,
    JSON_FIELDS,
    MAX_JSON_BYTES,
    ContactItem,
)
from schemas.items.faults import Fault
from schemas.items.phone import normaliser_for
from schemas.items.phone_notation import PhoneFault
from schemas.items.properties import Definitions
from schemas.items.reader import Run
from schemas.operations import JobParams
from storage.entities import channels, properties, upsert
from storage.postgres.pool import Conn
from worker.operations.base import Applied, BaseOperation, Indexed, JobFacts
from worker.operations.resolve import Targets, merge_by_phone, resolve
from worker.operations.upsert_rows import clears_of, columns_of, results_of

Checked = tuple[Sequence[Indexed], dict[int, Fault]]  # the valid items, and the faults of the rest

TOO_LARGE = {name: ItemCode(f"{name}_too_large") for name in JSON_FIELDS}
KEYED = frozenset(JSON_FIELDS)
# The JSON fields of a smaller record are not measured, because a character takes fewer than 8 bytes as JSON.
SMALL_RECORD = MAX_JSON_BYTES // 8


class ContactsUpsert(BaseOperation):
    """Create contacts, or update the contacts that items match."""

    settles = True

    def preparer(self, params: JobParams, run: Run) -> Callable[[ContactItem, int], ContactItem | Fault]:
        """Return a function that checks the required fields and the size, and converts the phone to E.164."""
        normalise = normaliser_for(params.region)
        required = params.required + (("external_id",) if params.match_on == "external_id" else ())
        echoes = ECHOES if run.has_any(ECHOES) else ()
        measured = run.longest > SMALL_RECORD

        def prepare(item: ContactItem, position: int) -> ContactItem | Fault:
            for name in required:
                if item.get(name) in (None, ""):
                    return _missing(name)
            phone = normalise(item["phone"])
            if isinstance(phone, PhoneFault):
                return Fault("phone", phone.code, phone.message, item["phone"])
            item["phone"] = phone
            for name in echoes:
                item.pop(name, None)  # type: ignore[misc]
            if measured and not KEYED.isdisjoint(item) and run.size(position) > SMALL_RECORD:
                return _too_large(item) or item
            return item

        return prepare

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Check, match, move, stage, upsert, clear."""
        account_id = job.account_id
        fields: set[str] = set().union(*(item for _, item in items))
        items, faults = await check(conn, job, items, fields)
        targets, unmatched = await _targets(conn, job, items, fields)
        faults |= unmatched
        if not targets.phones:
            return Applied(faults=faults)
        if targets.moved:
            await upsert.move(conn, account_id, targets.moved)
        columns, may_clear = columns_of(targets.items, fields)
        await upsert.stage(conn, columns)
        written = await upsert.upsert(conn, account_id, columns)
        changed = set(targets.moved.values())
        if may_clear:
            # after the upsert, which locks every row in order: before it, two chunks could deadlock
            changed |= await _clear(conn, account_id, targets)
        unwritten = [phone for phone in targets.phones if phone not in written.ids]
        ids = await upsert.ids_by_phone(conn, account_id, unwritten) if unwritten else {}
        return Applied(results=results_of(targets, written, changed, ids), faults=faults)

    async def apply_jobs(
        self, conn: Conn, jobs: Sequence[tuple[JobFacts, Sequence[Indexed]]]
    ) -> list[Applied]:
        """See the base class. Each job finds the staging table empty."""
        applied: list[Applied] = []
        for job, items in jobs:
            if applied:
                await upsert.empty_stage(conn, job.job_id)
            applied.append(await self.apply(conn, job, items))
        return applied


async def _targets(
    conn: Conn, job: JobFacts, items: Sequence[Indexed], fields: set[str]
) -> tuple[Targets, dict[int, Fault]]:
    if "external_id" not in fields:
        return merge_by_phone(items), {}
    external_ids = [item["external_id"] for _, item in items if item.get("external_id")]
    if not external_ids:
        return merge_by_phone(items), {}
    phones = [item["phone"] for _, item in items]
    stored = await upsert.lock_matches(conn, job.account_id, phones, external_ids)
    return resolve(items, stored, job.params.match_on)


def _missing(name: str) -> Fault:
    message = f"{name} is missing: every item of this request needs it"
    return Fault(name, ItemCode.MISSING_FIELD, message, None)


def _too_large(item: ContactItem) -> Fault | None:
    for name, code in TOO_LARGE.items():
        if item.get(name) and len(to_json(item[name])) > MAX_JSON_BYTES:  # type: ignore[literal-required]
            return Fault(name, code, f"{name} is larger than 16 KiB as JSON: store less", None)
    return None


async def _clear(conn: Conn, account_id: AccountId, targets: Targets) -> set[str]:
    """Clear the fields and keys that are null in items. Return the phones of the contacts that changed."""
    clears = clears_of(targets)
    return await upsert.clear(conn, account_id, clears) if clears else set()


async def check(conn: Conn, job: JobFacts, items: Sequence[Indexed], fields: set[str]) -> Checked:
    """Check properties and channels. Return the valid items as they are stored, and the faults of the rest.

    `fields` are the fields that occur in any of the items.
    """
    faults: dict[int, Fault] = {}
    if "properties" in fields:
        items, faults = await check_properties(conn, job, items)
    if "default_channel_id" in fields:
        items, unknown = await _check_channels(conn, job, items)
        faults |= unknown
    return items, faults


async def check_properties(conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Checked:
    """Return the items with properties as they are stored, and the faults of the rest."""
    if not any(item.get("properties") for _, item in items):
        return items, {}
    definitions = Definitions(await properties.definitions(conn, job.account_id), job.params.date_format)
    from_text = job.format == Format.CSV
    good: list[Indexed] = []
    faults = {}
    for index, item in items:
        given = item.get("properties")
        checked = definitions.check(given, from_text=from_text) if given else given
        if isinstance(checked, Fault):
            faults[index] = checked
        elif given:
            good.append((index, {**item, "properties": checked}))  # copied: the item may be applied again
        else:
            good.append((index, item))
    return good, faults


async def _check_channels(conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Checked:
    wanted = {item["default_channel_id"] for _, item in items if item.get("default_channel_id")}
    if not wanted:
        return items, {}
    unknown = wanted.difference(await channels.lock_many_shared(conn, job.account_id, wanted))
    if not unknown:
        return items, {}
    good = [(index, item) for index, item in items if item.get("default_channel_id") not in unknown]
    bad = [(index, item) for index, item in items if item.get("default_channel_id") in unknown]
    return good, {index: _unknown_channel(item) for index, item in bad}


def _unknown_channel(item: ContactItem) -> Fault:
    message = "default_channel_id names no channel of the account: list the channels to find its id"
    return Fault("default_channel_id", ItemCode.UNKNOWN_CHANNEL, message, str(item.get("default_channel_id")))
