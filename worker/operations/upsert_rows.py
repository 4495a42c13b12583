"""The rows of an upsert: the columns and the clears of matched contacts, and their results. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from schemas.items.contacts import COLUMNS, JSON_FIELDS, WHOLE_JSON_FIELDS, ContactItem
from schemas.states import Outcome
from storage.entities.upsert import Clear, Written
from storage.pipeline.results import ItemResult
from worker.operations.resolve import Target

CREATED, UPDATED, UNCHANGED = Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED


def columns_of(targets: Sequence[Target], fields: set[str]) -> dict[str, list[Any]]:
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


def may_have_null(targets: Sequence[Target], columns: Mapping[str, Sequence[Any]]) -> bool:
    """Return whether an item may clear a field or remove a key. Most chunks have no null at all."""
    if any(None in values for values in columns.values()):
        return True
    items: list[dict[str, Any]] = [target.item for target in targets]  # type: ignore[misc]
    return any(None in item[name].values() for name in JSON_FIELDS if name in columns for item in items)


def clears_of(targets: Sequence[Target]) -> list[Clear]:
    """Return what null in items clears: the fields and keys of each contact that has one."""
    return [_clear_of(target) for target in targets if has_null(target.item)]


def results_of(
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


def has_null(item: ContactItem) -> bool:
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
