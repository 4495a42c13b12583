"""References: find and lock the contacts that items name by id, phone or external id."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from schemas.ids import AccountId, JobId
from storage.postgres.array_texts import array_text, number_array
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn


class Lock(StrEnum):
    """The strength of the lock on a contact, by PostgreSQL's names of row locks."""

    MEMBER = "KEY SHARE"  # prevents deletion
    CHANGE = "NO KEY UPDATE"  # also prevents other changes
    DELETE = "UPDATE"  # also prevents new memberships


QUERIES = {lock: load(__name__, {"strength": lock.value}) for lock in Lock}


class Locked(NamedTuple):
    """The contacts that references name, locked. Element n of the lists belongs to one reference.

    `positions` are those of the references, from 0; those of one contact are in order. No object for each
    contact, because this is made for every item of a job. `places` is opaque: see `contacts.set_preference`.
    """

    positions: Sequence[int]
    ids: Sequence[int]
    team_ids: Sequence[int | None]
    places: str


async def lock(
    conn: Conn,
    account_id: AccountId,
    job_id: JobId,
    strength: Lock,
    *,
    ids: Sequence[int | None] | None = None,
    phones: Sequence[str | None] | None = None,
    external_ids: Sequence[str | None] | None = None,
) -> Locked:
    """Lock the contacts that references name, in the order of their phones.

    Reference n is the value that is not None among ids[n], phones[n] and external_ids[n]. What follows is
    done by the job: see `before_images`.
    """
    queries = QUERIES[strength]
    if ids is None and external_ids is None:
        row = await queries.lock_phones(
            conn, account_id=account_id, phones=array_text(phones or ()), change=str(job_id)
        )
    else:
        row = await queries.lock(
            conn,
            account_id=account_id,
            ids=number_array(ids or ()),
            phones=array_text(phones or ()),
            external_ids=array_text(external_ids or ()),
            change=str(job_id),
        )
    return Locked(
        [position - 1 for position in row["positions"] or ()],
        row["ids"] or (),
        row["team_ids"] or (),
        row["places"],
    )
