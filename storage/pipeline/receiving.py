"""The uploads that one api process receives: small ones are accepted together, and all of them end."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from schemas.callers import stored_caller
from schemas.errors import BulklaneError
from schemas.formats.records import PART_BYTES, Span
from schemas.ids import AccountId, JobId, show_job_id
from schemas.traces import batch_span, step_span
from storage.announcements import Announcer
from storage.background import beside, repeat
from storage.group_commit import GroupCommit
from storage.pipeline import uploads
from storage.pipeline.leases import UPLOAD_RENEW_SECONDS, renewing
from storage.pipeline.uploads import AlreadyRetried, IdempotencyKeyTaken, NewJob, Place
from storage.postgres.array_texts import array_text
from storage.postgres.db_errors import ROW_REJECTED, violations_as
from storage.postgres.named_queries import load, row_of
from storage.postgres.pool import Conn, Pool

GIVE_UP_SECONDS = 0.5
MOST_GIVEN_UP = 1_000  # the leases of the others end by themselves
MOST_TOGETHER = 64  # small jobs that are accepted together; they have PART_BYTES in all, or there is one
QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallJob:
    """A job whose whole body is one part, with its chunks.

    If it is not `durable`, a crash of PostgreSQL can lose it until `uploads.confirm` has returned.
    """

    job: NewJob
    body: bytes
    chunks: Sequence[Span]
    layout: dict[str, Any] | None
    parallel: int
    request_hash: bytes | None
    durable: bool = True

    @property
    def total(self) -> int:
        """The number of items."""
        return sum(chunk.items for chunk in self.chunks)


class Uploads:
    """The uploads in progress, and those that have ended but could not be marked as failed."""

    def __init__(self, pool: Pool, announcer: Announcer) -> None:
        self._pool = pool
        self._announcer = announcer
        # by stream, because a stream that is locked must not delay the jobs of other streams
        self.small = GroupCommit[tuple[AccountId, str], SmallJob, Place](
            lambda stream, small: accept_small(pool, *stream, small),
            most=MOST_TOGETHER,
            most_bytes=PART_BYTES,
            size=lambda small: len(small.body),
            alone=(*ROW_REJECTED, IdempotencyKeyTaken, AlreadyRetried),
        )
        self.current: set[tuple[AccountId, JobId]] = set()
        self.leased: set[tuple[AccountId, JobId]] = set()  # those whose job is stored, so that it has a lease
        self.given_up: set[tuple[AccountId, JobId]] = set()

    @contextmanager
    def keep(self, account_id: AccountId, job_id: JobId) -> Iterator[None]:
        """Count a job as received while the body runs. Once it is in `leased`, its lease is renewed.

        A BulklaneError means that the caller has ended the job. After any other error the job is marked as
        failed as soon as PostgreSQL responds, unless it was accepted. This frees its idempotency key.
        """
        self.current.add((account_id, job_id))
        try:
            with step_span("job.accept", {"bulklane.job": show_job_id(job_id)}):
                yield
        except BulklaneError:
            raise
        except BaseException:
            if len(self.given_up) < MOST_GIVEN_UP:
                self.given_up.add((account_id, job_id))
            raise
        finally:
            self.current.discard((account_id, job_id))
            self.leased.discard((account_id, job_id))

    async def accept_small(self, small: SmallJob) -> Place:
        """Store and accept a job of one part, together with others of its stream that wait at this moment.

        Raises IdempotencyKeyTaken and AlreadyRetried.
        """
        return await self.small.ask((small.job.account_id, small.job.stream), small)

    async def fail_given_up(self) -> None:
        """Mark the uploads that were given up as failed."""
        message = (
            "the api lost PostgreSQL, or stopped, before the upload was complete: send the request again"
        )
        for account_id, job_id in list(self.given_up):
            await uploads.fail(self._pool, account_id, job_id, "upload_incomplete", message)
            await self._announcer.end([(account_id, job_id)])
            self.given_up.discard((account_id, job_id))

    async def renew_current(self) -> None:
        """Renew the leases of the uploads in progress."""
        if self.leased:
            await uploads.renew(self._pool, list(self.leased))


@asynccontextmanager
async def keep_uploads(pool: Pool, announcer: Announcer) -> AsyncIterator[Uploads]:
    """Renew the leases of all uploads in progress while the body runs, and end those that are given up."""
    kept = Uploads(pool, announcer)
    async with (
        kept.small,
        renewing(kept.renew_current, what="leases of uploads", every=UPLOAD_RENEW_SECONDS),
        beside(repeat(GIVE_UP_SECONDS, kept.fail_given_up, what="failing uploads that were given up")),
    ):
        yield kept
    with suppress(Exception):  # otherwise their leases end
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await kept.fail_given_up()


async def accept_small(
    db: Conn | Pool, account_id: AccountId, stream: str, jobs: Sequence[SmallJob]
) -> list[Place]:
    """Store and accept jobs of one stream, in their order. Returns the place of each.

    Raises IdempotencyKeyTaken if another request uses the key of one of them, and AlreadyRetried.
    """
    with (
        violations_as(jobs_idempotency=IdempotencyKeyTaken(), jobs_only_retry=AlreadyRetried()),
        batch_span("jobs.accept", [small.job.trace for small in jobs], {"bulklane.jobs": len(jobs)}),
    ):
        row = await QUERIES.accept_small(
            db,
            account_id=account_id,
            stream=stream,
            **_columns(jobs),
            **_chunk_columns(jobs),
            durable=any(small.durable for small in jobs),
        )
    first = row_of(Place, row)
    return [replace(first, ahead=first.ahead + number) for number in range(len(jobs))]


def _columns(jobs: Sequence[SmallJob]) -> dict[str, list[Any]]:
    heads = [small.job for small in jobs]
    return {
        "ids": [job.id for job in heads],
        "operations": [job.operation for job in heads],
        "params": [job.params.to_json() for job in heads],
        "formats": [job.format for job in heads],
        "layouts": [json.dumps(small.layout) if small.layout is not None else None for small in jobs],
        "parallels": [small.parallel for small in jobs],
        "request_ids": [job.request_id for job in heads],
        "names": [job.name for job in heads],
        "tags": [array_text(job.tags) for job in heads],
        "file_names": [job.file_name for job in heads],
        "dry_runs": [job.dry_run for job in heads],
        "parent_ids": [job.parent_id for job in heads],
        "submitters": [stored_caller(job.submitted_by) for job in heads],
        "idempotency_keys": [job.idempotency_key for job in heads],
        "traces": [job.trace for job in heads],
        "request_hashes": [small.request_hash for small in jobs],
        "bodies": [small.body for small in jobs],
        "totals": [small.total for small in jobs],
    }


def _chunk_columns(jobs: Sequence[SmallJob]) -> dict[str, list[int]]:
    """Return the columns of the chunks of all jobs; the first is the number of the job, from 1."""
    columns: dict[str, list[int]] = {
        "chunk_jobs": [],
        "first_indexes": [],
        "starts": [],
        "ends": [],
        "items": [],
    }
    for number, small in enumerate(jobs, start=1):
        index = 0
        for span in small.chunks:
            for column, value in zip(
                columns.values(), (number, index, span.start, span.end, span.items), strict=True
            ):
                column.append(value)
            index += span.items
    return columns
