"""Traces of a contact in what changed contacts: before-images of jobs, and single changes over REST.

As in `contact_traces`, each function reads a bounded piece after a place.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from schemas.ids import AccountId, JobId
from storage.deletion.contact_traces import After, read_json
from storage.deletion.identifiers import Identifiers
from storage.postgres.named_queries import Db, load
from storage.postgres.pool import Conn

IMAGES = 20  # in one piece: each may have 1,000 contacts
CHANGES = 500  # single changes in one piece
QUERIES = load(__name__)


class Erased(NamedTuple):
    """What was erased in a piece, where it ends, and by what else the contact was known."""

    after: After
    checked: int
    erased: int
    pairs: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedChange:
    """A change of a field of a contact, by a job or, without one, over REST."""

    job_id: JobId | None
    field: str
    at: datetime
    old: Any
    new: Any


async def erase_images(conn: Conn, account_id: AccountId, after: After, of: Identifiers) -> Erased | None:
    """Take a contact out of the next before-images. None: there are no more."""
    row = await QUERIES.erase_images(
        conn, account_id=account_id, job_id=after.job_id, number=after.number, rows=IMAGES, **_values(of)
    )
    return _erased(row, After(row["last_job"], row["last_number"])) if row else None


async def erase_single_changes(
    conn: Conn, account_id: AccountId, after: After, of: Identifiers
) -> Erased | None:
    """Delete what the next single changes say of a contact. None: there are no more.

    Their key begins with a contact: the `job_id` of the place has its number.
    """
    row = await QUERIES.erase_single_changes(
        conn,
        account_id=account_id,
        after_contact=after.job_id.int,
        number=after.number,
        rows=CHANGES,
        **_values(of),
    )
    return _erased(row, After(JobId(UUID(int=row["last_contact"])), row["last_number"])) if row else None


async def images(
    db: Db, account_id: AccountId, after: After, contact_id: int
) -> tuple[list[TracedChange], After] | None:
    """Return what the next before-images say of a contact, and where they end. None: there are no more."""
    rows = await QUERIES.images(
        db,
        account_id=account_id,
        job_id=after.job_id,
        number=after.number,
        contact_id=contact_id,
        rows=IMAGES,
    )
    if not rows:
        return None
    found = [_change(row, row["job_id"]) for row in rows if row["field"] is not None]
    return found, After(rows[0]["last_job"], rows[0]["last_number"])


async def single_changes(
    db: Db, account_id: AccountId, contact_id: int, after: int
) -> tuple[list[TracedChange], int] | None:
    """Return the next changes of a contact over REST, and where they end. None: there are no more."""
    rows = await QUERIES.single_changes(
        db, account_id=account_id, contact_id=contact_id, number=after, rows=CHANGES
    )
    return ([_change(row, None) for row in rows], rows[-1]["number"]) if rows else None


def _values(of: Identifiers) -> dict[str, Any]:
    values: dict[str, Sequence[str]] = {
        "phones": sorted(of.phones), "external_ids": sorted(of.external_ids), "emails": sorted(of.emails),
    }  # fmt: skip
    return {"contact_id": of.contact_id, **values}


def _erased(row: Any, after: After) -> Erased:
    pairs = [(name, value) for name, value in json.loads(row["identifiers"] or "[]")]
    return Erased(after, row["checked"], row["erased"], pairs)


def _change(row: Any, job_id: JobId | None) -> TracedChange:
    return TracedChange(
        job_id=job_id, field=row["field"], at=row["at"], old=read_json(row["old"]), new=read_json(row["new"])
    )
