"""The step that ends resumable uploads in every way."""

from itertools import count

from schemas.formats.content_type import Format
from schemas.ids import new_job_id
from schemas.operations import Operation
from storage.pipeline import uploads
from storage.postgres.transactions import transaction
from storage.resumable import attempts, resumable_uploads, upload_pieces
from tests.integration.plans.growing_world import Sessions

NUMBERS = count(1)


async def staged_uploads(at: Sessions) -> None:
    """Begin to make the job of an upload again after a process died, and end other uploads."""
    pool, account_id = at.service.api.ctx.pool, at.world.account.id
    for end in ("finish", "refuse", "give up"):
        upload = await resumable_uploads.create(
            pool, account_id, operation="contacts.upsert", query="", headers={}, length=None,
            idempotency_key=f"upload {next(NUMBERS)}", keep_seconds=60,
        )  # fmt: skip
        assert await resumable_uploads.by_key(pool, account_id, f"{upload.idempotency_key}") == upload
        assert await resumable_uploads.declare_length(pool, upload, 5) == 5
        assert await upload_pieces.append(pool, upload, 0, b"pie") == 3
        assert await upload_pieces.append(pool, upload, 3, b"ce", complete=True) == 5  # joins the row
        for _ in range(2 if end == "finish" else 0):
            job = uploads.NewJob(
                account_id=account_id, id=new_job_id(), operation=Operation.CONTACTS_UPSERT,
                stream="contacts", format=Format.NDJSON, params=at.world.params, parallel=4, request_id="req",
            )  # fmt: skip
            assert await attempts.begin(pool, upload, job, keep_seconds=60) is attempts.Begun.OURS
            await pool.execute(
                "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'receiving'"
            )
        if end == "finish":
            async with transaction(pool) as conn:
                assert await resumable_uploads.finish(conn, account_id, upload.id, job.id, keep_seconds=60)
            await uploads.forget(pool, account_id, job.id)
        elif end == "refuse":
            await resumable_uploads.refuse(pool, upload, {}, keep_seconds=0)
        else:
            assert await attempts.give_up(pool, account_id, upload.id)
    await upload_pieces.prune(pool)
