"""Read the images of a job: the values of fields, memberships and opt-ins before and after its changes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.ids import AccountId, JobId
from storage.postgres.array_texts import number_array
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn

CONTACT = "contact"  # the field of the image of a whole contact
QUERIES = load(__name__)


class Image(NamedTuple):
    """One change of a field, in several contacts at once. `places` are their places in `old` and `new`.

    The values are texts, None: there was none. `field` is a column of contacts, a link such as `list:7`, or
    `contact`, for a contact that was deleted (`old` is its row as JSON) or has come back.
    """

    number: int
    field: str
    at: datetime
    places: Mapping[int, int]
    old: Sequence[str | None]
    new: Sequence[str | None]


async def read(conn: Conn, account_id: AccountId, job_id: JobId, numbers: Iterable[int]) -> dict[int, Image]:
    """Return the images of a job with these numbers, by number. Those that were pruned are absent."""
    rows = await QUERIES.read(conn, account_id=account_id, id=job_id, numbers=number_array(sorted(numbers)))
    return {
        row["number"]: Image(
            number=row["number"],
            field=row["field"],
            at=row["at"],
            places={contact_id: place for place, contact_id in enumerate(row["contact_ids"])},
            old=row["old"] or [None] * len(row["contact_ids"]),
            new=row["new"] or [None] * len(row["contact_ids"]),
        )
        for row in rows
    }


async def changed_together(
    conn: Conn, account_id: AccountId, job_id: JobId, times: Iterable[datetime]
) -> set[int]:
    """Return the contacts that other jobs than this one changed in the transactions of these times."""
    ids = await QUERIES.changed_together(conn, account_id=account_id, id=job_id, times=sorted(times))
    return set(ids or ())
