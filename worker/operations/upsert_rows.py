"""The rows of an upsert: the columns and the clears of matched contacts, and their results. Pure."""

from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import contains
from typing import Any

from pydantic_core import to_json

from schemas.items.contacts import COLUMNS, JSON_FIELDS, WHOLE_JSON_FIELDS, ContactItem
from schemas.states import Outcome
from storage.entities.upsert import Clear, Written
from storage.pipeline.results import ItemResults
from worker.operations.resolve import Targets

CREATED, UPDATED, UNCHANGED = Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED


def columns_of(contacts: Sequence[ContactItem], fields: set[str]) -> tuple[dict[str, list[Any]], bool]:
    """Return the values of contacts by column: JSON fields as text, without the keys to remove.

    Also returns whether a contact may have a field to clear or a key to remove. Most chunks have no null.
    """
    items: Sequence[dict[str, Any]] = contacts  # type: ignore[assignment]
    columns: dict[str, list[Any]] = {
        name: list(map(dict.get, items, repeat(name))) for name in COLUMNS if name in fields
    }
    may_clear = any(None in values for values in columns.values())
    for name in (*JSON_FIELDS, *WHOLE_JSON_FIELDS):
        if name in columns:
            columns[name] = [None if value is None else to_json(value).decode() for value in columns[name]]
    for name in JSON_FIELDS:
        if any(map(contains, filter(None, columns.get(name, ())), repeat("null"))):
            columns[name] = [_keys_to_set(item.get(name)) for item in items]
            may_clear = True
    return columns, may_clear


def _keys_to_set(keys: dict[str, Any] | None) -> str | None:
    if keys and None in keys.values():
        keys = {key: value for key, value in keys.items() if value is not None}
    return to_json(keys).decode() if keys else None


def clears_of(targets: Targets) -> list[Clear]:
    """Return what null in items clears: the fields and keys of each contact that has one."""
    pairs = zip(targets.phones, targets.items, strict=True)
    return [_clear_of(phone, item) for phone, item in pairs if has_null(item)]


def results_of(targets: Targets, written: Written, changed: set[str], ids: Mapping[str, int]) -> ItemResults:
    """Give the last item of a contact the result, and merge the earlier ones into it.

    `ids` holds the contacts that were not written. `changed` holds phones of contacts that were changed
    otherwise.
    """
    created, changed = written.created, changed.union(written.ids)
    outcomes = [
        CREATED if phone in created else UPDATED if phone in changed else UNCHANGED
        for phone in targets.phones
    ]
    known = {**ids, **written.ids} if ids else written.ids
    results = ItemResults(
        outcomes=dict(zip(targets.indexes, outcomes, strict=True)),
        contact_ids=dict(zip(targets.indexes, map(known.__getitem__, targets.phones), strict=True)),
    )
    for index, last in targets.merged.items():
        results.merge(index, last)
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


def _clear_of(phone: str, item: ContactItem) -> Clear:
    fields: dict[str, Any] = dict(item)
    keys = {
        name: tuple(key for key, value in (fields.pop(name, None) or {}).items() if value is None)
        for name in JSON_FIELDS
    }
    cleared = tuple(name for name, value in fields.items() if value is None)
    return Clear(phone=phone, fields=cleared, keys=keys)
