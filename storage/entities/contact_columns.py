"""The columns of contacts, generated from the declared fields: the row, and the SQL parts that list columns.

upsert.sql and contacts.sql use a part as `@name@`. Aliases in the parts: c is the table contacts, s the
staging table, n a row made from JSON; w and l are the rows of `clear`, w also of `correct`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import asyncpg
from pydantic_core import from_json

from schemas.ids import AccountId
from schemas.items.contact_field import ContactField
from schemas.items.contacts import CONTACT_FIELDS, ITEM_FIELDS, KEY, StoredFields

SET_BY_ITEMS = tuple(field for field in ITEM_FIELDS if field.name != KEY)
JSON = tuple(field for field in CONTACT_FIELDS if field.is_json)
BY_KEY = tuple(field for field in ITEM_FIELDS if field.by_key)
CLEARABLE = tuple(field for field in SET_BY_ITEMS if not field.not_null)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRow:
    """A stored contact. `fields` has every declared field; JSON fields are decoded."""

    id: int
    account_id: AccountId
    created_at: datetime
    updated_at: datetime
    fields: StoredFields
    json_characters: int  # total length of the JSON fields as text

    @classmethod
    def of(cls, record: asyncpg.Record) -> "ContactRow":
        """Return a record with all columns of contacts as a row."""
        fields: dict[str, Any] = {field.name: record[field.name] for field in CONTACT_FIELDS}
        for field in JSON:
            if (text := record[field.name]) is not None:
                fields[field.name] = from_json(text)
        return cls(
            id=record["id"],
            account_id=AccountId(record["account_id"]),
            created_at=record["created_at"],
            updated_at=record["updated_at"],
            fields=cast(StoredFields, fields),
            json_characters=sum(len(record[field.name]) for field in BY_KEY),
        )


def upsert_parts() -> dict[str, str]:
    """Return the parts of upsert.sql by name."""
    return {
        "stage": _list(_definition, ITEM_FIELDS),
        "uncompressed": _list(lambda f: f"ALTER {f.name} SET STORAGE EXTERNAL", BY_KEY),
        "columns": _list(lambda f: f.name, ITEM_FIELDS),
        "staged": _list(lambda f: _or_default("s", f), ITEM_FIELDS),
        "on_conflict": _on_conflict(),
        "clear_keys": _list(lambda f: f"{f.name} text[]", BY_KEY),
        "to_clear": _any(_to_clear, (*CLEARABLE, *BY_KEY)),
        "cleared": _list(_cleared, (*CLEARABLE, *BY_KEY)),
    }


def contact_parts() -> dict[str, str]:
    """Return the parts of contacts.sql by name."""
    return {
        "columns": _list(lambda f: f.name, CONTACT_FIELDS),
        "inserted": _list(lambda f: _or_default("n", f), CONTACT_FIELDS),
        "key_parameters": ", ".join(f"{f.name}, {f.name}_gone" for f in BY_KEY),
        "new_values": _list(lambda f: _keys_set(f) if f.by_key else f"n.{f.name}", CONTACT_FIELDS),
        "keys_changed": _any(lambda f: f"{_keys_set(f)} IS DISTINCT FROM c.{f.name}", BY_KEY),
        "correction_keys": _list(lambda f: f"{f.name} jsonb, {f.name}_gone text[]", BY_KEY),
        "corrected_values": _list(
            lambda f: _keys_set(f, source="w.") if f.by_key else f"n.{f.name}", CONTACT_FIELDS
        ),
    }


def restoring_parts() -> dict[str, str]:
    """Return the parts of undo/restoring.sql by name. Bit n of a mask stands for CONTACT_FIELDS[n]."""
    bits = list(enumerate(CONTACT_FIELDS))
    return {
        "columns": ",\n    ".join(
            f"array_agg({f.name}::text) FILTER (WHERE :wanted::int & {1 << bit} <> 0) AS {f.name}"
            for bit, f in bits
        ),
        "names": ", ".join(f.name for f in CONTACT_FIELDS),
        "inserted": _list(lambda f: _or_default("n", f), CONTACT_FIELDS),
        "parameters": ", ".join(f":{f.name}::text::text[]" for f in CONTACT_FIELDS),
        "set": ",\n    ".join(
            f"{f.name} = CASE w.mask & {1 << bit} WHEN 0 THEN c.{f.name} ELSE w.{f.name}::{f.column.type} END"
            for bit, f in bits
        ),
    }


def _definition(field: ContactField) -> str:
    collation = f' COLLATE "{field.column.collation}"' if field.column.collation else ""
    return f"{field.name} {field.column.type}{collation}"


def _or_default(source: str, field: ContactField) -> str:
    value = f"{source}.{field.name}"
    return f"COALESCE({value}, {field.column.default})" if field.column.default else value


def _merged(field: ContactField) -> str:
    """Return the expression for the value that an upsert stores."""
    name = field.name
    return f"(c.{name} || excluded.{name})" if field.by_key else f"COALESCE(excluded.{name}, c.{name})"


def _on_conflict() -> str:
    """Return the clause that updates a stored contact, if it differs."""
    values = _list(lambda f: f"{f.name} = {_merged(f)}", SET_BY_ITEMS)
    changed = _any(lambda f: f"{_merged(f)} IS DISTINCT FROM c.{f.name}", SET_BY_ITEMS)
    updated = f"{values}, updated_at = statement_timestamp()"
    return f"ON CONFLICT (account_id, phone) DO UPDATE SET {updated}\nWHERE {changed}"


def _to_clear(field: ContactField) -> str:
    name = field.name
    return (
        f"c.{name} ?| w.{name}" if field.by_key else f"(c.{name} IS NOT NULL AND '{name}' = ANY (w.fields))"
    )


def _cleared(field: ContactField) -> str:
    name = field.name
    if field.by_key:
        return f"{name} = c.{name} - l.{name}"
    return f"{name} = CASE WHEN '{name}' = ANY (l.fields) THEN NULL ELSE c.{name} END"


def _keys_set(field: ContactField, source: str = ":") -> str:
    """Return the expression for a JSON field after some keys are set and others removed.

    `source` is the prefix of the parameters, or of the columns, that have the keys.
    """
    name = field.name
    return f"((c.{name} || {source}{name}::jsonb) - {source}{name}_gone::text[])"


def _list(part: Callable[[ContactField], str], fields: Iterable[ContactField]) -> str:
    return ",\n    ".join(map(part, fields))


def _any(part: Callable[[ContactField], str], fields: Iterable[ContactField]) -> str:
    return "(" + "\n    OR ".join(map(part, fields)) + ")"
