"""When keys were last used: noted in memory by each request, and written in the background, off its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.ids import AccountId
from storage.access import api_keys
from storage.access.api_keys import USE_SECONDS, KeyId
from storage.background import beside, repeat
from storage.postgres.pool import Pool
from storage.postgres.transactions import transaction

RECORD_SECONDS = 1.0  # what a crash can lose; a key is written at most once in USE_SECONDS
MOST_KEYS = 10_000  # that are noted while PostgreSQL does not respond


class KeyUses:
    """The keys that this process has seen in the last minute, and those that are not written yet."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._seen: dict[KeyId, float] = {}  # when they were written
        self._due: set[KeyId] = set()

    def note(self, account_id: AccountId, key_id: str) -> None:
        """Note that a key was used."""
        key = (account_id, key_id)
        if key not in self._seen and len(self._due) < MOST_KEYS:
            self._due.add(key)

    async def record(self) -> None:
        """Write what is noted. A crash of PostgreSQL may lose the last writes; an error loses nothing."""
        now = asyncio.get_running_loop().time()
        self._seen = {key: at for key, at in self._seen.items() if now - at < USE_SECONDS}
        if due := list(self._due):
            async with transaction(self._pool, durable=False) as conn:
                await api_keys.note_uses(conn, due)
            self._due.difference_update(due)
            self._seen.update(dict.fromkeys(due, now))


@asynccontextmanager
async def recording_uses(pool: Pool) -> AsyncIterator[KeyUses]:
    """Write the uses that are noted while the body runs."""
    uses = KeyUses(pool)
    async with beside(repeat(RECORD_SECONDS, uses.record, what="recording the uses of keys")):
        yield uses
