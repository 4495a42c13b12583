"""The worker processes: each says every few seconds that it lives, and goes when it stops."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.ids import AccountId, JobId, WorkerId
from storage.postgres.named_queries import Db, load

BEAT_SECONDS = 4.0  # between two signs of life
SILENT_SECONDS = 15  # without a sign of life: the worker is dead, or PostgreSQL was away
FORGET_SECONDS = 60  # then its row is deleted
MOST_WORKERS = 1_000  # in a list

OWN = ("id", "host", "pid", "version", "started_at", "seen_at", "silent", "metrics_port")

QUERIES = load(__name__, {"silent_seconds": SILENT_SECONDS, "forget_seconds": FORGET_SECONDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldChunk:
    """A chunk that a worker is applying. `deaths` counts the workers that it may have killed before."""

    account_id: AccountId
    account_name: str
    job_id: JobId
    first_index: int
    items: int
    deaths: int
    claimed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker process. `silent`: it gave no sign of life for SILENT_SECONDS."""

    id: WorkerId
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    silent: bool
    metrics_port: int | None  # where it serves its metrics; None: it does not
    chunks: tuple[HeldChunk, ...]


async def beat(
    db: Db,
    worker_id: WorkerId,
    *,
    host: str,
    pid: int,
    version: str,
    age: float,
    metrics_port: int | None = None,
) -> None:
    """Say that a worker lives, which started `age` seconds ago. Forget those that are dead for long."""
    await QUERIES.beat(
        db, id=worker_id, host=host, pid=pid, version=version, age=age, metrics_port=metrics_port
    )
    await QUERIES.forget(db)


async def leave(db: Db, worker_id: WorkerId) -> None:
    """Say that a worker stops."""
    await QUERIES.leave(db, id=worker_id)


async def list_all(db: Db) -> list[WorkerRow]:
    """Return the workers, those that started first, with the chunks that they hold."""
    found: dict[UUID, WorkerRow] = {}
    for row in await QUERIES.list(db, most=MOST_WORKERS):
        before = found.get(row["id"])
        found[row["id"]] = WorkerRow(
            **{name: row[name] for name in OWN},
            chunks=(*(before.chunks if before else ()), *_held(row)),
        )
    return list(found.values())


def _held(row: Any) -> list[HeldChunk]:
    columns = {name: row[name] for name in HeldChunk.__slots__}
    return [] if columns["job_id"] is None else [HeldChunk(**columns)]
