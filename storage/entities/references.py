"""References: contacts that items only name, by id, phone or external id: found and locked in one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.ids import AccountId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn

QUERIES = load(__name__)


class Lock(StrEnum):
    """How firmly a contact is held: as PostgreSQL names the strengths of row locks."""

    MEMBER = "key share"  # it is not deleted meanwhile
    CHANGE = "no key update"  # and not changed by anybody else
    DELETE = "update"  # and not made a member of anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Referred:
    """A contact, and the places (from 0) of the references that name it, in order."""

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
    """Lock the contacts that are named; reference n is whatever of the three is not None at n."""
    rows = await QUERIES.lock(
        conn, account_id=account_id, ids=ids, phones=phones, external_ids=external_ids, strength=strength
    )
    return [
        Referred(
            id=row["id"], team_id=row["team_id"], places=tuple(position - 1 for position in row["positions"])
        )
        for row in rows
    ]
