"""Read the images of a job: the values of fields, memberships and opt-ins before and after its changes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from schemas.ids import AccountId, JobId
from storage.postgres.array_texts import number_array
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn

CONTACT = "contact"  # the field of the image of a whole contact
QUERIES = load(__name__)
AT_ONCE = 16  # images; each has up to 1,000 contacts, or 2 MB


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


async def read(
    conn: Conn, account_id: AccountId, job_id: JobId, numbers: Iterable[int], contacts: Collection[int]
) -> dict[int, Image]:
    """Return what the images of a job with these numbers say of some contacts, by number.

    Those that were pruned are absent. If a job names its contacts again and again, those of one chunk are
    spread over thousands of images, so only some are in memory at once.
    """
    ordered, wanted = sorted(numbers), frozenset(contacts)
    found: dict[int, Image] = {}
    for start in range(0, len(ordered), AT_ONCE):
        some = number_array(ordered[start : start + AT_ONCE])
        for row in await QUERIES.read(conn, account_id=account_id, id=job_id, numbers=some):
            found[row["number"]] = _image(row, wanted)
    return found


def _image(row: Any, wanted: Collection[int]) -> Image:
    """Return an image of the wanted contacts alone."""
    contacts = [(place, id_) for place, id_ in enumerate(row["contact_ids"]) if id_ in wanted]
    return Image(
        number=row["number"],
        field=row["field"],
        at=row["at"],
        places={id_: place for place, (_, id_) in enumerate(contacts)},
        old=_some(row["old"], contacts),
        new=_some(row["new"], contacts),
    )


def _some(values: Sequence[str | None] | None, contacts: Sequence[tuple[int, int]]) -> list[str | None]:
    return [values[place] for place, _ in contacts] if values else [None] * len(contacts)
