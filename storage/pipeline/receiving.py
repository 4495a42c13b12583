"""The uploads that one api process receives: their leases are renewed, and all of them end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from schemas.errors import BulklaneError
from schemas.ids import AccountId, JobId
from storage.background import beside, repeat
from storage.pipeline import uploads
from storage.pipeline.leases import UPLOAD_RENEW_SECONDS, renewing
from storage.postgres.pool import Pool

GIVE_UP_SECONDS = 0.5
MOST_GIVEN_UP = 1_000  # the leases of the others end by themselves


class Uploads:
    """The uploads in progress, and those that have ended but could not be marked as failed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.current: set[tuple[AccountId, JobId]] = set()
        self.given_up: set[tuple[AccountId, JobId]] = set()

    @contextmanager
    def keep(self, account_id: AccountId, job_id: JobId) -> Iterator[None]:
        """Have the lease of a job renewed while the body runs.

        A BulklaneError means that the caller has ended the job. After any other error the job is marked as
        failed as soon as PostgreSQL responds, unless it was accepted. This frees its idempotency key.
        """
        self.current.add((account_id, job_id))
        try:
            yield
        except BulklaneError:
            raise
        except BaseException:
            if len(self.given_up) < MOST_GIVEN_UP:
                self.given_up.add((account_id, job_id))
            raise
        finally:
            self.current.discard((account_id, job_id))

    async def fail_given_up(self) -> None:
        """Mark the uploads that were given up as failed."""
        message = (
            "the api lost PostgreSQL, or stopped, before the upload was complete: send the request again"
        )
        for account_id, job_id in list(self.given_up):
            await uploads.fail(self._pool, account_id, job_id, "upload_incomplete", message)
            self.given_up.discard((account_id, job_id))

    async def renew_current(self) -> None:
        """Renew the leases of the uploads in progress."""
        if self.current:
            await uploads.renew(self._pool, list(self.current))


@asynccontextmanager
async def keep_uploads(pool: Pool) -> AsyncIterator[Uploads]:
    """Renew the leases of all uploads in progress while the body runs, and end those that are given up."""
    kept = Uploads(pool)
    async with (
        renewing(kept.renew_current, what="leases of uploads", every=UPLOAD_RENEW_SECONDS),
        beside(repeat(GIVE_UP_SECONDS, kept.fail_given_up, what="failing uploads that were given up")),
    ):
        yield kept
    with suppress(Exception):  # otherwise their leases end
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await kept.fail_given_up()
