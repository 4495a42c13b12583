"""Secrets that all processes of the service share, made by the first one that needs them."""

from storage.postgres.named_queries import Db, load

QUERIES = load(__name__)


async def get(db: Db, name: str, fresh: bytes) -> bytes:
    """Return the secret of this name. The first call stores `fresh`."""
    secret: bytes | None = await QUERIES.get(db, name=name)
    if secret is None:
        await QUERIES.add(db, name=name, value=fresh)
        secret = await QUERIES.get(db, name=name)
        assert secret is not None
    return secret
