"""Follow events over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.event_reader import SOON, EventReader
from tests.integration.api.service import Client


@asynccontextmanager
async def following(client: Client, path: str, last_id: str | None = None) -> AsyncIterator[EventReader]:
    """Follow events; `last_id` is the place to go on from."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with client.open("GET", path, headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        stream = EventReader(aiter(response.content))
        async with asyncio.timeout(SOON):
            await stream.begin()
        yield stream
