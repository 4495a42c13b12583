"""Uploads under way in this process: their jobs' leases are renewed for as long as it lives."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from schemas.ids import AccountId, JobId
from storage.background import cancel
from storage.pipeline import uploads
from storage.postgres.pool import Pool

logger = logging.getLogger(__name__)

RENEW_SECONDS = 4.0  # three renewals may fail before a lease of 15 seconds is lost


class Uploads:
    """Keeps the leases of the uploads that this process is reading."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.current: set[tuple[AccountId, JobId]] = set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._renew_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        await cancel(self._task)

    @contextmanager
    def keep(self, account_id: AccountId, job_id: JobId) -> Iterator[None]:
        """Keep a job's lease while its body is being read."""
        self.current.add((account_id, job_id))
        try:
            yield
        finally:
            self.current.discard((account_id, job_id))

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if not self.current:
                continue
            try:
                await uploads.renew_receiving(self._pool, list(self.current))
            except Exception as error:
                logger.warning("leases of uploads not renewed: %s: %s", type(error).__name__, error)
