"""Give contacts back what they had: lock and read them, then put back rows, fields, memberships, opt-ins."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from schemas.ids import AccountId, JobId
from schemas.items.contacts import CONTACT_FIELDS
from storage.entities import upsert
from storage.entities.contact_columns import restoring_parts
from storage.postgres.array_texts import array_text, number_array
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn

QUERIES = load(__name__, restoring_parts())
BITS = {field.name: 1 << bit for bit, field in enumerate(CONTACT_FIELDS)}
OWNERS = ("list", "label", "audience", "team")  # `lock_owners` has a parameter for each
Links = dict[str, str]  # the value of each link of a contact: see `storage.undo.job_images.Image`


class LockedRows(NamedTuple):
    """Contacts that exist, locked, in columns. `positions` are their positions in the columns, by id.

    `fields` has the values of the fields that were asked for, as text.
    """

    positions: Mapping[int, int]
    places: Sequence[str]
    created_at: Sequence[datetime]
    updated_at: Sequence[datetime]
    fields: Mapping[str, Sequence[str | None]]


class Link(NamedTuple):
    """A link of a contact to set: `value` as in an image; None: remove it."""

    contact_id: int
    link: str
    value: str | None


async def lock_current(
    conn: Conn, account_id: AccountId, job_id: JobId, ids: Sequence[int], fields: Collection[str]
) -> LockedRows:
    """Lock the contacts of these ids that exist, and read some of their fields.

    What follows is done by the job: see `before_images`.
    """
    wanted = sum(BITS[name] for name in fields)
    row = await QUERIES.lock_current(
        conn, account_id=account_id, ids=number_array(ids), wanted=wanted, change=str(job_id)
    )
    return LockedRows(
        positions={contact_id: position for position, contact_id in enumerate(row["ids"] or ())},
        places=row["places"] or (),
        created_at=row["created_at"] or (),
        updated_at=row["updated_at"] or (),
        fields={name: row[name] or () for name in fields},
    )


async def links(
    conn: Conn, account_id: AccountId, ids: Mapping[int, bool], named: Collection[str]
) -> dict[int, Links]:
    """Return memberships and opt-ins of contacts that the caller has locked, by contact.

    They are those in `named`, and all of the contacts that are True in `ids`.
    """
    found: dict[int, Links] = {}
    for row in await QUERIES.links(
        conn,
        account_id=account_id,
        ids=number_array(ids),
        every=list(ids.values()),
        named=array_text(sorted(named)),
    ):
        found.setdefault(row["id"], {})[row["link"]] = row["value"]
    return found


async def lock_owners(conn: Conn, account_id: AccountId, owners: Collection[str]) -> set[str]:
    """Lock owners, such as `label:7` and `team:7`, after the contacts. Return those that exist."""
    ids: dict[str, list[int]] = {f"{kind}s": [] for kind in OWNERS}
    for owner in owners:
        kind, _, number = owner.partition(":")
        ids[f"{kind}s"].append(int(number))
    rows = await QUERIES.lock_owners(
        conn, account_id=account_id, **{name: sorted(found) for name, found in ids.items()}
    )
    return {row["owner"] for row in rows}


async def holders(
    conn: Conn, account_id: AccountId, phones: Sequence[str], external_ids: Sequence[str]
) -> dict[tuple[str, str], int]:
    """Return the contacts that have these phones or external ids, by field and value."""
    rows = await QUERIES.holders(
        conn, account_id=account_id, phones=array_text(phones), external_ids=array_text(external_ids)
    )
    return {(row["field"], row["value"]): row["id"] for row in rows}


async def put_back(conn: Conn, account_id: AccountId, job_id: JobId, rows: Mapping[int, str]) -> None:
    """Store deleted contacts again, by id, each a row of contacts as JSON.

    If images are kept, this is one of the job: an undo of the undo must know when they came back.
    """
    await QUERIES.put_back(conn, account_id=account_id, rows=f"[{','.join(rows.values())}]")
    await QUERIES.keep_return(conn, account_id=account_id, id=job_id, ids=number_array(rows))


async def set_fields(conn: Conn, account_id: AccountId, values: Mapping[str, Mapping[int, Any]]) -> None:
    """Give locked contacts the values of fields, as text: by field, and then by contact.

    Contacts may exchange phones and external ids.
    """
    contacts = sorted(set().union(*values.values()))
    if not contacts:
        return
    if "phone" in values:
        await upsert.park(conn, account_id, list(values["phone"]))
    if "external_id" in values:
        await QUERIES.park_external_ids(conn, account_id=account_id, ids=number_array(values["external_id"]))
    masks = [
        sum(BITS[name] for name, of_field in values.items() if contact in of_field) for contact in contacts
    ]
    columns = {
        field.name: array_text([values[field.name].get(contact) for contact in contacts])
        if field.name in values
        else "{}"
        for field in CONTACT_FIELDS
    }
    await QUERIES.set_fields(
        conn, account_id=account_id, ids=number_array(contacts), masks=number_array(masks), **columns
    )


async def set_links(conn: Conn, account_id: AccountId, wanted: Sequence[Link]) -> tuple[int, int]:
    """Set links of locked contacts. Return how many memberships were added, and how many removed."""
    channels = [link for link in wanted if link.link.startswith("channel:")]
    members = [link for link in wanted if not link.link.startswith("channel:")]
    gone = [link for link in members if link.value is None]
    new = [link for link in members if link.value is not None]
    removed = added = 0
    if gone:
        removed = await QUERIES.remove_members(conn, account_id=account_id, **_members(gone))
    if new:
        times = array_text([link.value for link in new])
        added = await QUERIES.add_members(conn, account_id=account_id, **_members(new), times=times)
    if channels:
        await _set_opt_ins(conn, account_id, channels)
    return added, removed


def _members(wanted: Sequence[Link]) -> dict[str, Any]:
    owners = [link.link.partition(":") for link in wanted]
    return {
        "kinds": [kind for kind, _, _ in owners],
        "owners": number_array(int(owner) for _, _, owner in owners),
        "contacts": number_array(link.contact_id for link in wanted),
    }


async def _set_opt_ins(conn: Conn, account_id: AccountId, wanted: Sequence[Link]) -> None:
    for put in (False, True):
        some = [link for link in wanted if (link.value is not None) is put]
        if not some:
            continue
        keys: dict[str, Any] = {
            "account_id": account_id,
            "contacts": number_array(link.contact_id for link in some),
            "channels": array_text([link.link.removeprefix("channel:") for link in some]),
        }
        if put:
            states = [(link.value or "").partition(" ") for link in some]  # see opt_in_state
            keys["opted_in"] = [state.startswith("in") for state, _, _ in states]
            keys["by_contact"] = [state.endswith("_by_contact") for state, _, _ in states]
            keys["times"] = array_text([at for _, _, at in states])
            await QUERIES.put_opt_ins(conn, **keys)
        else:
            await QUERIES.remove_opt_ins(conn, **keys)
