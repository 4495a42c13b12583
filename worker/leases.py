"""Keep the leases of this worker alive while it is."""

import asyncio
import logging

from storage.context import Context
from storage.pipeline import chunks

logger = logging.getLogger(__name__)


async def renew_forever(ctx: Context) -> None:
    """Renew all leases of this worker until cancelled."""
    while True:
        await asyncio.sleep(chunks.RENEW_SECONDS)
        try:
            if ctx.held:
                await chunks.renew(ctx.pool, frozenset(ctx.held))
        except Exception as error:
            logger.warning("leases not renewed: %s: %s", type(error).__name__, error)
