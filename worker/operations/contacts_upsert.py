"""contacts.upsert: create or update contacts, matched by external id or phone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from schemas.formats.content_type import Format
from schemas.ids import AccountId
from schemas.item_errors import ItemCode
from schemas.items.contacts import (
    COLUMNS,
    ECHO,
    ECHOES,
    JSON_FIELDS,
    MAX_JSON_BYTES,
    WHOLE_JSON_FIELDS,
    ContactItem,
)
from schemas.items.faults import Fault
from schemas.items.phone import normaliser_for
from schemas.items.phone_notation import PhoneFault
from schemas.items.properties import Definitions
from schemas.items.reader import Run
from schemas.operations import JobParams, Operation
from schemas.states import Outcome
from storage.entities import channels, properties, upsert
from storage.entities.upsert import Clear, Written
from storage.pipeline.results import ItemResult
from storage.postgres.pool import Conn
from worker.operations.base import Applied, BaseOperation, Indexed, JobFacts
from worker.operations.resolve import Target, merge_by_phone, resolve

Checked = tuple[Sequence[Indexed], dict[int, Fault]]  # the valid items, and the faults of the rest

CREATED, UPDATED, UNCHANGED = Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED
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
        echoes = ECHOES if run.may_have(ECHO) else ()
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
        if not targets:
            return Applied(faults=faults)
        moved = {target.stored.id: target.phone for target in targets if target.stored and target.moved}
        if moved:
            await upsert.move(conn, account_id, moved)
        columns = _columns(targets, fields)
        await upsert.stage(conn, columns)
        written = await upsert.upsert(conn, account_id)
        changed = set(moved.values())
        if _may_have_null(targets, columns):
            # after the upsert, which locks every row in order: before it, two chunks could deadlock
            changed |= await _clear(conn, account_id, targets)
        unwritten = [target.phone for target in targets if target.phone not in written.ids]
        ids = await upsert.ids_by_phone(conn, account_id, unwritten) if unwritten else {}
        return Applied(results=_results(targets, written, changed, ids), faults=faults)


async def _targets(
    conn: Conn, job: JobFacts, items: Sequence[Indexed], fields: set[str]
) -> tuple[list[Target], dict[int, Fault]]:
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


def _columns(targets: Sequence[Target], fields: set[str]) -> dict[str, list[Any]]:
    """Return the values of the contacts, by column: JSON fields as text, without the keys to remove."""
    items: list[dict[str, Any]] = [target.item for target in targets]  # type: ignore[misc]
    columns = {name: [item.get(name) for item in items] for name in COLUMNS if name in fields}
    for name in JSON_FIELDS:
        if name in columns:
            columns[name] = [_keys_to_set(keys) for keys in columns[name]]
    for name in WHOLE_JSON_FIELDS:
        if name in columns:
            columns[name] = [None if value is None else to_json(value).decode() for value in columns[name]]
    return columns


def _keys_to_set(keys: dict[str, Any] | None) -> str | None:
    if keys and None in keys.values():
        keys = {key: value for key, value in keys.items() if value is not None}
    return to_json(keys).decode() if keys else None


def _may_have_null(targets: Sequence[Target], columns: Mapping[str, Sequence[Any]]) -> bool:
    """Return whether an item may clear a field or remove a key. Most chunks have no null at all."""
    if any(None in values for values in columns.values()):
        return True
    items: list[dict[str, Any]] = [target.item for target in targets]  # type: ignore[misc]
    return any(None in item[name].values() for name in JSON_FIELDS if name in columns for item in items)


async def _clear(conn: Conn, account_id: AccountId, targets: Sequence[Target]) -> set[str]:
    """Clear the fields and keys that are null in items. Return the phones of the contacts that changed."""
    clears = [_clear_of(target) for target in targets if _has_null(target.item)]
    return await upsert.clear(conn, account_id, clears) if clears else set()


def _has_null(item: ContactItem) -> bool:
    """Return whether a field, or a key of a JSON field, is null."""
    if None in item.values():
        return True
    for name in JSON_FIELDS:  # no generator: this runs for every row
        keys: dict[str, Any] | None = item.get(name)  # type: ignore[assignment]
        if keys and None in keys.values():
            return True
    return False


def _clear_of(target: Target) -> Clear:
    item: dict[str, Any] = dict(target.item)
    keys = {
        name: tuple(key for key, value in (item.pop(name, None) or {}).items() if value is None)
        for name in JSON_FIELDS
    }
    fields = tuple(name for name, value in item.items() if value is None)
    return Clear(phone=target.phone, fields=fields, keys=keys)


def _results(
    targets: Sequence[Target], written: Written, changed: set[str], ids: Mapping[str, int]
) -> dict[int, ItemResult]:
    """Give the last item of a contact the result, and merge the earlier ones into it."""
    results: dict[int, ItemResult] = {}
    for target in targets:
        if (id_ := written.ids.get(target.phone)) is not None:
            result = ItemResult(CREATED if target.phone in written.created else UPDATED, id_)
        else:
            result = ItemResult(UPDATED if target.phone in changed else UNCHANGED, ids[target.phone])
        last = target.indexes[-1]
        results[last] = result
        for index in target.indexes[:-1]:
            results[index] = ItemResult(Outcome.MERGED, result.contact_id, last)
    return results


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
    definitions = Definitions(await properties.definitions(conn, job.account_id))
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


OPERATIONS = {Operation.CONTACTS_UPSERT: ContactsUpsert()}
