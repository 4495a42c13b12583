"""The admission window: how many bulk requests of an account are admitted, decided in PostgreSQL.

It is exact whatever happens to Redis, because Redis has no part in it. A row is written for each admitted
request, before its body is read. Its commit waits for the disk, so no crash admits a request too many.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.ids import AccountId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

QUERIES = load(__name__)

STEP_SECONDS = 0.1  # clocks that differ by more since the last admission: one of them has stepped
MICROSECOND = timedelta(microseconds=1)  # an admission counts until it is older than the window


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The decision on a request, and the window after it. `granted` is 1 or 0.

    `wait_seconds` is the time until a refused request can succeed, unless another one uses the room first.
    `reset_seconds` is the time until no request counts any more.
    """

    granted: int
    remaining: int
    wait_seconds: float
    reset_seconds: float


async def admit(pool: Pool, account_id: AccountId, *, charge: bool = True) -> Admission:
    """Admit a request of an account that has a limit, or refuse it. Without `charge`, read the window only.

    A refused request takes no lock and writes nothing, unless a clock has stepped, so a client that repeats
    it costs little.
    """
    async with pool.acquire() as conn:
        seen = await _read(conn, account_id)
        if (charge and seen["room"]) or seen["stepped"]:
            async with conn.transaction():
                await QUERIES.lock(conn, account_id=account_id)
                seen = await _read(conn, account_id)
                now = {name: seen[name] for name in ("at", "postgres_at", "api_at")}
                if charge and seen["room"]:
                    await QUERIES.add(conn, account_id=account_id, **now)
                    return _admission(1, seen["room"] - 1, timedelta(), seen["length"])
                if seen["stepped"]:
                    await QUERIES.rebase(conn, account_id=account_id, **now)
    return _admission(0, seen["room"], seen["wait"], seen["reset"])


def read_clocks() -> tuple[datetime | None, datetime]:
    """Return the readings of PostgreSQL's clock (None: PostgreSQL reads it) and of this process's clock."""
    return None, datetime.now(UTC)


async def _read(conn: Conn, account_id: AccountId) -> Any:
    """Read the window. The clocks are read at the last moment, so that both show about the same time."""
    postgres_at, api_at = read_clocks()
    return await QUERIES.read(
        conn, account_id=account_id, postgres_at=postgres_at, api_at=api_at, step_seconds=STEP_SECONDS
    )


def _admission(granted: int, remaining: int, wait: timedelta, reset: timedelta) -> Admission:
    return Admission(
        granted=granted,
        remaining=remaining,
        wait_seconds=(wait + MICROSECOND).total_seconds(),
        reset_seconds=(reset + MICROSECOND).total_seconds(),
    )
