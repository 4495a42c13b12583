"""The bytes of resumable uploads, in pieces, each with its offset."""

from collections.abc import AsyncIterator

from schemas.errors import UploadLost
from storage.postgres.named_queries import load
from storage.postgres.pool import Pool
from storage.resumable.resumable_uploads import StagedUpload

JOIN_BYTES = 16 * 1024  # a row with fewer takes in the next piece: more would be written again for each byte
QUERIES = load(__name__, {"join_bytes": JOIN_BYTES})

PIECE_BYTES = 512 * 1024  # a cut costs at most the piece that fills, and the one that is being stored
UPLOADS = 100  # in one statement
PIECES = 64  # in one statement: about 32 MiB


async def append(
    pool: Pool, upload: StagedUpload, start: int, body: bytes, *, complete: bool = False
) -> int | None:
    """Store the next piece; it is on disk when this returns. Return the new offset.

    None: a newer request has taken over, or the upload has ended; then nothing is stored.
    """
    arrived: int | None = await QUERIES.append(
        pool,
        account_id=upload.account_id,
        id=upload.id,
        token=upload.token,
        start=start,
        body=body,
        complete=complete,
    )
    return arrived


async def read_all(pool: Pool, upload: StagedUpload) -> AsyncIterator[bytes]:
    """Yield the bytes that had arrived, one row in memory. Raises UploadLost if one is missing."""
    start = 0
    while start < upload.arrived:
        body: bytes | None = await QUERIES.read(pool, account_id=upload.account_id, id=upload.id, start=start)
        if body is None:
            raise UploadLost("the bytes of this upload are gone: it has ended meanwhile")
        yield body[: upload.arrived - start]  # the last row may have grown since
        start += len(body)


async def prune(pool: Pool) -> None:
    """Delete the pieces of all uploads that have ended, and the uploads that have expired."""
    while ended := await QUERIES.removable(pool, uploads=UPLOADS):
        for row in ended:
            of = {"account_id": row["account_id"], "id": row["id"]}
            while await QUERIES.remove(pool, **of, rows=PIECES) == PIECES:
                pass
            await QUERIES.removed(pool, **of)
    while await QUERIES.forget_expired(pool, rows=UPLOADS) == UPLOADS:
        pass
