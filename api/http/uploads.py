"""The uploads that this process is reading: the leases of their jobs are renewed as long as it lives."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from schemas.ids import AccountId, JobId
from storage.pipeline import uploads
from storage.pipeline.leases import UPLOAD_RENEW_SECONDS, renewing
from storage.postgres.pool import Pool


class Uploads:
    """The uploads under way in this process."""

    def __init__(self) -> None:
        self.current: set[tuple[AccountId, JobId]] = set()

    @contextmanager
    def keep(self, account_id: AccountId, job_id: JobId) -> Iterator[None]:
        """Keep a job's lease while its body is being read."""
        self.current.add((account_id, job_id))
        try:
            yield
        finally:
            self.current.discard((account_id, job_id))


@asynccontextmanager
async def keep_uploads(pool: Pool) -> AsyncIterator[Uploads]:
    """Renew the leases of all uploads under way while the body runs."""
    under_way = Uploads()

    async def renew() -> None:
        if under_way.current:
            await uploads.renew(pool, list(under_way.current))

    async with renewing(renew, what="leases of uploads", every=UPLOAD_RENEW_SECONDS):
        yield under_way
