"""Idempotency-Key: a repeated request returns the job of the first one.

Source: draft-ietf-httpapi-idempotency-key-header. A key belongs to an account and is kept for 24 hours from
the first byte of its request. A request that was refused, or did not arrive whole, leaves its key free.
"""

import re

from aiohttp import web

from api.http.context import Api
from schemas.errors import Conflict, NotAcceptable
from schemas.ids import AccountId, JobId
from storage.pipeline import uploads
from storage.pipeline.uploads import Earlier

HEADER = "Idempotency-Key"
MAX_CHARACTERS = 255
IN_PROGRESS_SECONDS = 2  # the end of an upload is not known
QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')  # RFC 8941, 3.3.3; read_key checks the characters
ESCAPED = re.compile(r"\\(.)")


def read_key(request: web.Request) -> str | None:
    """Return the key; None without one. A quoted string equals its bare value. Raises NotAcceptable."""
    value = request.headers.get(HEADER)
    if value is None:
        return None
    key = _unquote(value) if value.startswith('"') or value.endswith('"') else value
    if 1 <= len(key) <= MAX_CHARACTERS and key.isascii() and key.isprintable():
        return key
    raise NotAcceptable(
        f"{HEADER} must have 1 to {MAX_CHARACTERS} printable ASCII characters: send a UUID, for example",
        param=HEADER,
    )


def _unquote(value: str) -> str:
    found = QUOTED.fullmatch(value)
    if found is None:
        raise NotAcceptable(
            f"{HEADER} is not a quoted string of RFC 8941: send the key without quotation marks, or put it "
            "between two of them with a backslash before each quotation mark and backslash inside",
            param=HEADER,
        )
    return ESCAPED.sub(r"\1", found[1])


async def find_earlier(api: Api, account_id: AccountId, key: str | None) -> Earlier | None:
    """Return the accepted request with this key; None: there is none. Raises Conflict while it arrives.

    An upload whose process has died, so that nobody renews its lease, does not hold its key.
    """
    if key is None:
        return None
    earlier = await uploads.by_idempotency_key(api.ctx.pool, account_id, key)
    if earlier is not None and earlier.request_hash is None:
        raise in_progress(key)
    return earlier


def in_progress(key: str) -> Conflict:
    """Return the error for a key whose first request is still arriving."""
    return Conflict(
        f"a request with the {HEADER} {key!r} is still being received: retry this one after a few seconds",
        code="idempotency_in_progress",
        param=HEADER,
        retry_after=IN_PROGRESS_SECONDS,
    )


def same_request(earlier: Earlier, digest: bytes, key: str | None) -> JobId:
    """Return the job of the earlier request; raises NotAcceptable if this request differs."""
    if earlier.request_hash == digest:
        return earlier.job_id
    raise NotAcceptable(
        f"the {HEADER} {key!r} was used for another method, path, query or body: "
        "use a new key for a new request",
        code="idempotency_key_reuse",
        param=HEADER,
    )
