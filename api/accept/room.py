"""Check that an account may store the bytes of one more upload."""

from api.http.context import Api
from schemas.errors import RateLimited
from schemas.ids import AccountId
from storage.pipeline import uploads
from storage.resumable import resumable_uploads

LATER_SECONDS = 10  # the time when jobs end is not known


async def check_room(api: Api, account_id: AccountId, more: int = 0) -> None:
    """Raise RateLimited if the account's unfinished jobs and uploads would hold too many bytes.

    `more`: those that are to come; below 0, those that are stored twice.
    """
    most = api.ctx.settings.max_stored_bytes
    held = await uploads.stored_bytes(api.ctx.pool, account_id) + more
    if held > most:
        raise RateLimited(
            f"the unfinished jobs and uploads of this account would hold {held} bytes and may hold {most}: "
            "send the request again when some have ended",
            code="too_many_bytes",
            retry_after=LATER_SECONDS,
        )


async def check_number(api: Api, account_id: AccountId) -> None:
    """Raise RateLimited if the account has too many unfinished uploads."""
    most = api.ctx.settings.max_unfinished_uploads
    if await resumable_uploads.unfinished(api.ctx.pool, account_id, most) >= most:
        raise RateLimited(
            f"{most} uploads of this account are not finished: complete some, or delete them "
            "(GET /v1/uploads lists them)",
            code="too_many_uploads",
            retry_after=LATER_SECONDS,
        )
