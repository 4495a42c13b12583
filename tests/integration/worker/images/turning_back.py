"""What an account has, and how before-images turn it back: each field gets the value that it had before."""

import json
from typing import Any

from schemas.ids import AccountId, JobId
from storage.context import Context

State = dict[int, dict[str, Any]]  # by the id of the contact: its fields, memberships and opt-ins

CONTACTS = "SELECT id, to_jsonb(c) - 'updated_at' AS fields FROM contacts c WHERE account_id = $1"
MEMBERSHIPS = """
SELECT contact_id, kind || ':' || owner_id AS field, created_at::text AS value
FROM memberships WHERE account_id = $1
"""
OPT_INS = """
SELECT contact_id, 'channel:' || channel_id AS field, opt_in_state(opted_in, by_contact, created_at) AS value
FROM opt_ins WHERE account_id = $1
"""
IMAGES = """
SELECT b.number, b.field, u.*
FROM before_images b
CROSS JOIN LATERAL unnest(b.contact_ids, b.old, b.new, b.old_json, b.new_json)
    u (contact_id, old, new, old_json, new_json)
WHERE b.account_id = $1 AND b.job_id = $2 ORDER BY b.number DESC
"""


async def state_of(ctx: Context, account_id: AccountId) -> State:
    """Return all contacts of an account, without `updated_at`, with their memberships and opt-ins."""
    rows = await ctx.pool.fetch(CONTACTS, account_id)
    state: State = {row["id"]: json.loads(row["fields"]) for row in rows}
    for query in (MEMBERSHIPS, OPT_INS):
        for row in await ctx.pool.fetch(query, account_id):
            state[row["contact_id"]][row["field"]] = row["value"]
    return state


async def turned_back(ctx: Context, account_id: AccountId, job_id: JobId, state: State) -> State:
    """Return the state before the images of a job, newest first. Each image must fit what it finds."""
    for image in await ctx.pool.fetch(IMAGES, account_id, job_id):
        contact_id, field = image["contact_id"], image["field"]
        old, new = _values(image)
        if field == "contact":
            assert contact_id not in state
            old.pop("updated_at")
            state[contact_id] = old
            continue
        contact = state[contact_id]
        assert _text(contact.get(field)) == _text(new), (field, contact.get(field), new)
        if old is None and ":" in field:
            del contact[field]
        else:
            contact[field] = old
    return state


def comparable(state: State) -> State:
    """Return a state whose values are all text, except JSON: images hold no other types."""
    return {id_: {name: _text(value) for name, value in contact.items()} for id_, contact in state.items()}


def _values(image: Any) -> tuple[Any, Any]:
    if image["old_json"] is not None or image["new_json"] is not None:
        return json.loads(image["old_json"] or "null"), json.loads(image["new_json"] or "null")
    return image["old"], image["new"]


def _text(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
    return value
