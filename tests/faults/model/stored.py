"""The stored state of an account, in the form of the model."""

import json
from typing import Any

import asyncpg

from tests.model.contact import FIELDS, FIRST_PREFERENCE, KEYED

CONTACTS = "SELECT c.id, to_jsonb(c)::text AS fields FROM contacts c WHERE account_id = $1 ORDER BY phone"
OWNERS = "SELECT contact_id, kind, owner_id FROM memberships WHERE account_id = $1"
OPT_INS = "SELECT contact_id, channel_id::text, opted_in, by_contact FROM opt_ins WHERE account_id = $1"

Db = asyncpg.Pool | asyncpg.Connection


async def read(db: "Db", account_id: int) -> dict[str, dict[str, Any]]:
    """Return all contacts with their memberships and opt-ins by phone, in the form of `ModelContact.plain`.

    Raises KeyError if a membership or an opt-in has no contact.
    """
    contacts = {row["id"]: _plain(json.loads(row["fields"])) for row in await db.fetch(CONTACTS, account_id)}
    for contact_id, *owner in await db.fetch(OWNERS, account_id):
        contacts[contact_id]["owners"].append(tuple(owner))
    for contact_id, channel, *opt_in in await db.fetch(OPT_INS, account_id):
        contacts[contact_id]["opt_ins"][channel] = tuple(opt_in)
    for contact in contacts.values():
        contact["owners"].sort()
        contact["opt_ins"] = dict(sorted(contact["opt_ins"].items()))
    return {contact["phone"]: contact for contact in contacts.values()}


async def ids(db: "Db", account_id: int) -> dict[str, int]:
    """Return the ids of all contacts by phone."""
    rows = await db.fetch("SELECT phone, id FROM contacts WHERE account_id = $1", account_id)
    return {row["phone"]: row["id"] for row in rows}


def differences(found: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> list[str]:
    """Return where the stored contacts differ from those of the model, one line for each field."""
    lines = []
    for phone in sorted(found.keys() | expected.keys()):
        stored, modelled = found.get(phone, {}), expected.get(phone, {})
        lines += [
            f"{phone} {name}: stored {stored.get(name)!r}, the model {modelled.get(name)!r}"
            for name in sorted(stored.keys() | modelled.keys())
            if stored.get(name) != modelled.get(name)
        ]
    return lines


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "phone": row["phone"],
        **{name: row[name] for name in FIELDS if row[name] is not None},
        **{name: row[name] for name in KEYED if row[name]},
        "opted_out": row["opted_out"],
        "preference": row["communication_preference"] or FIRST_PREFERENCE,
        "team_id": row["team_id"],
        "owners": [],
        "opt_ins": {},
    }
