"""Resumable uploads: create, find, take over, end them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.ids import AccountId, JobId, UploadId, new_upload_id
from storage.pipeline.leases import new_token
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import Db, load, row_of, row_or_none, rows_of
from storage.postgres.pool import Conn, Pool

NEWEST = UUID(int=2**128 - 1)  # no id is greater


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedUpload:
    """A resumable upload. `token` is that of the newest request, which may append.

    `complete`: all bytes are there. `finished_at`: its job was accepted, or it was refused with `refusal`.
    """

    account_id: AccountId
    id: UploadId
    operation: str
    query: str
    headers: str  # a JSON object
    length: int | None
    arrived: int
    complete: bool
    token: int
    job_id: JobId | None
    refusal: str | None  # a JSON object
    finished_at: datetime | None
    idempotency_key: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def described(self) -> dict[str, str]:
        """The headers that describe the bytes."""
        described: dict[str, str] = json.loads(self.headers)
        return described

    @property
    def content_type(self) -> str | None:
        """The content type of the bytes."""
        return self.described.get("Content-Type")

    @property
    def refused(self) -> dict[str, Any]:
        """Why it was refused."""
        refusal: dict[str, Any] = json.loads(self.refusal or "{}")
        return refusal

    @property
    def accepted_job(self) -> JobId | None:
        """The job that was made of it."""
        return self.job_id if self.finished_at is not None and self.refusal is None else None


QUERIES = load(__name__, {"columns": ", ".join(field.name for field in fields(StagedUpload))})


class UploadKeyTaken(Exception):
    """Another upload of the account has this idempotency key."""


async def create(
    pool: Pool,
    account_id: AccountId,
    *,
    operation: str,
    query: str,
    headers: Mapping[str, str],
    length: int | None,
    idempotency_key: str | None,
    keep_seconds: int,
) -> StagedUpload:
    """Create an upload that holds `keep_seconds`. Raises UploadKeyTaken."""
    if idempotency_key is not None:
        await QUERIES.free_key(pool, account_id=account_id, key=idempotency_key)
    with violations_as(resumable_uploads_key=UploadKeyTaken(idempotency_key)):
        row = await QUERIES.create(
            pool,
            account_id=account_id,
            id=new_upload_id(),
            operation=operation,
            query=query,
            headers=json.dumps(dict(headers)),
            length=length,
            token=new_token(),
            idempotency_key=idempotency_key,
            keep_seconds=keep_seconds,
        )
    return row_of(StagedUpload, row)


async def unfinished(pool: Pool, account_id: AccountId, most: int) -> int:
    """Return the number of unfinished uploads, counted to `most`."""
    count: int = await QUERIES.unfinished(pool, account_id=account_id, most=most)
    return count


async def get(db: Db, account_id: AccountId, upload_id: UploadId) -> StagedUpload | None:
    """Return an upload; None if the account has no such upload, or it has expired."""
    return row_or_none(StagedUpload, await QUERIES.get(db, account_id=account_id, id=upload_id))


async def by_key(db: Db, account_id: AccountId, key: str) -> StagedUpload | None:
    """Return the upload that was created with an idempotency key, or None."""
    return row_or_none(StagedUpload, await QUERIES.by_key(db, account_id=account_id, key=key))


async def page(db: Db, account_id: AccountId, *, before: UploadId | None, size: int) -> list[StagedUpload]:
    """Return the unfinished uploads, the newest first, after that of a cursor."""
    rows = await QUERIES.page(db, account_id=account_id, before=before or NEWEST, size=size)
    return rows_of(StagedUpload, rows)


async def take_over(db: Db, account_id: AccountId, upload_id: UploadId) -> StagedUpload | None:
    """Make this request the only one that may append to an upload, and return it; None: there is none."""
    row = await QUERIES.take_over(db, account_id=account_id, id=upload_id, token=new_token())
    return row_or_none(StagedUpload, row)


async def declare_length(db: Db, upload: StagedUpload, length: int) -> int | None:
    """Store the length that a client declares. Return the first one; None: a newer request took over."""
    first: int | None = await QUERIES.declare_length(
        db, account_id=upload.account_id, id=upload.id, token=upload.token, length=length
    )
    return first


async def refuse(db: Db, upload: StagedUpload, refusal: Mapping[str, Any], *, keep_seconds: int) -> bool:
    """End an upload whose bytes can be no job; `refusal` says why.

    Return False if it has ended, or if a newer request has taken over and not all bytes are there.
    """
    done = await QUERIES.refuse(
        db,
        account_id=upload.account_id,
        id=upload.id,
        token=upload.token,
        refusal=json.dumps(refusal),
        keep_seconds=keep_seconds,
    )
    return done is not None


async def cancel(db: Db, account_id: AccountId, upload_id: UploadId) -> bool:
    """Give an upload up. Return False if there is no such upload."""
    done = await QUERIES.cancel(db, account_id=account_id, id=upload_id, token=new_token())
    return done is not None


async def finish(
    conn: Conn, account_id: AccountId, upload_id: UploadId, job_id: JobId, *, keep_seconds: int
) -> bool:
    """End an upload in the transaction that accepts its job. Return False if it has no such attempt."""
    done = await QUERIES.finish(
        conn, account_id=account_id, id=upload_id, job_id=job_id, keep_seconds=keep_seconds
    )
    return done is not None
