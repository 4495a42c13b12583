"""References: find and lock the contacts that items name by id, phone or external id."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.ids import AccountId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn

QUERIES = load(__name__)


class Lock(StrEnum):
    """The strength of the lock on a contact, by PostgreSQL's names of row locks."""

    MEMBER = "key share"  # prevents deletion
    CHANGE = "no key update"  # also prevents other changes
    DELETE = "update"  # also prevents new memberships


@dataclass(frozen=True, slots=True, kw_only=True)
class Referred:
    """A contact, and the positions (from 0) of the references that name it, in order."""

    id: int
    team_id: int | None
    places: tuple[int, ...]


async def lock(
    conn: Conn,
    account_id: AccountId,
    *,
    ids: Sequence[int | None],
    phones: Sequence[str | None],
    external_ids: Sequence[str | None],
    strength: Lock,
) -> list[Referred]:
    """Lock the contacts that references name, and return them.

    Reference n is the value that is not None among ids[n], phones[n] and external_ids[n].
    """
    rows = await QUERIES.lock(
        conn, account_id=account_id, ids=ids, phones=phones, external_ids=external_ids, strength=strength
    )
    return [
        Referred(
            id=row["id"], team_id=row["team_id"], places=tuple(position - 1 for position in row["positions"])
        )
        for row in rows
    ]
