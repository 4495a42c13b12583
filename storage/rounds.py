"""Rounds: periodic work that one worker does for all, for example pruning, or looking for waiting work."""

from storage.postgres.named_queries import load
from storage.postgres.pool import Pool

QUERIES = load(__name__)


async def begin(pool: Pool, what: str, seconds: float) -> bool:
    """Begin a round of `what`. Return False if a worker has begun one less than `seconds` ago."""
    return await QUERIES.begin(pool, what=what, seconds=seconds) is not None
