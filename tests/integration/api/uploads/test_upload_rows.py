"""However small the requests of an upload are, its bytes fill few rows, and stay what they are."""

import hashlib
import random
from base64 import b64decode

import pytest

from storage.context import Context
from storage.resumable import resumable_uploads, upload_pieces
from storage.resumable.resumable_uploads import StagedUpload
from storage.resumable.upload_pieces import JOIN_BYTES
from tests.factories import make_account
from tests.integration.api.service import Client
from tests.integration.api.uploads.sending import CSV, append, create

LARGEST = {"bytes": 3, "small": 2_000, "any": 3 * JOIN_BYTES}  # pieces


async def make_upload(ctx: Context) -> StagedUpload:
    """Create an upload without bytes."""
    account = await make_account(ctx)
    return await resumable_uploads.create(
        ctx.pool, account.id, operation="contacts.upsert", query="", headers={}, length=None,
        idempotency_key=None, keep_seconds=60,
    )  # fmt: skip


async def read(ctx: Context, upload: StagedUpload) -> bytes:
    """Return the bytes that had arrived."""
    return b"".join([piece async for piece in upload_pieces.read_all(ctx.pool, upload)])


@pytest.mark.parametrize("largest", LARGEST.values(), ids=LARGEST.keys())
async def test_the_rows_are_bounded_by_the_bytes(ctx: Context, largest: int) -> None:
    chance = random.Random(largest)
    upload, sent, seen = await make_upload(ctx), b"", []
    for _ in range(150):
        piece = chance.randbytes(chance.randint(1, largest))
        assert await upload_pieces.append(ctx.pool, upload, len(sent), piece) == len(sent) + len(piece)
        sent += piece
        now = await resumable_uploads.get(ctx.pool, upload.account_id, upload.id)
        assert now is not None
        seen.append(now)
    rows = await ctx.pool.fetchval("SELECT count(*) FROM upload_pieces")
    assert 1 <= rows <= len(sent) // JOIN_BYTES + 1
    assert await read(ctx, seen[-1]) == sent
    for earlier in seen[::30]:  # a row that has grown since gives what it had
        assert await read(ctx, earlier) == sent[: earlier.arrived]


async def test_an_append_that_is_refused_changes_no_row(ctx: Context) -> None:
    upload = await make_upload(ctx)
    assert await upload_pieces.append(ctx.pool, upload, 0, b"first") == 5
    newer = await resumable_uploads.take_over(ctx.pool, upload.account_id, upload.id)
    assert newer is not None
    assert await upload_pieces.append(ctx.pool, upload, 5, b"late") is None
    assert await upload_pieces.append(ctx.pool, newer, 4, b"again") is None
    assert await upload_pieces.append(ctx.pool, newer, 5, b"", complete=True) == 5
    assert await upload_pieces.append(ctx.pool, newer, 5, b"more") is None
    assert await read(ctx, newer) == b"first"


async def test_a_byte_in_each_request_makes_one_row(ctx: Context, client: Client) -> None:
    body = CSV[:60]
    place = (await create(client, body[:20])).headers["Location"]
    for offset in range(20, len(body)):
        assert (await append(client, place, offset, body[offset : offset + 1])).status == 204
    assert await ctx.pool.fetchval("SELECT count(*) FROM upload_pieces") == 1
    response = await client.call("GET", place, headers={"Want-Repr-Digest": "sha-256=10"})
    assert hashlib.sha256(body).digest() == _digest(response.headers["Repr-Digest"])
    assert (await append(client, place, len(body), CSV[len(body) :], complete=True)).status == 202


def _digest(field: str) -> bytes:
    return b64decode(field.removeprefix("sha-256=:").removesuffix(":"))
