"""Digest fields (RFC 9530): the SHA-256 of what has arrived, for a client that goes on with an upload."""

import base64
import hashlib
import re

from aiohttp import web

from api.http.context import API
from storage.resumable import upload_pieces
from storage.resumable.resumable_uploads import StagedUpload

DIGEST, WANTED = "Repr-Digest", "Want-Repr-Digest"
SHA_256 = re.compile(r"(?:^|[,\s])sha-256=(?:[1-9]|10)\b")


async def digest_fields(request: web.Request, upload: StagedUpload) -> dict[str, str]:
    """Return the Repr-Digest of the bytes that have arrived, if the request wants it and they are stored.

    This reads all of them, so it takes one of the places for downloads.
    """
    api = request.app[API]
    if not SHA_256.search(request.headers.get(WANTED, "")) or upload.finished_at is not None:
        return {}
    digest = hashlib.sha256()
    async with api.pages:
        async for piece in upload_pieces.read_all(api.ctx.pool, upload):
            digest.update(piece)
    return {DIGEST: f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"}
