"""Read a response of server-sent events, as the HTML standard says."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

SOON = 10  # seconds


class Sent(NamedTuple):
    """One event as a browser reads it."""

    id: str
    name: str
    data: Any


class EventReader:
    """The events of an open response."""

    def __init__(self, lines: AsyncIterator[bytes], last_id: str = "") -> None:
        self._lines = lines
        self.last_id = last_id

    async def begin(self) -> None:
        """Read the begin: `retry` and an id without an event."""
        async for line in self._lines:
            self._read(line)
            if not line.strip():
                return

    async def next(self, *, seconds: float = SOON) -> Sent | None:
        """Return the next event; None: the stream has ended. Raises TimeoutError."""
        name, data = "message", ""
        async with asyncio.timeout(seconds):
            async for line in self._lines:
                match self._read(line):
                    case "event", value:
                        name = value
                    case "data", value:
                        data += value
                    case "", _ if data:
                        return Sent(self.last_id, name, json.loads(data))
        return None

    async def until_end(self) -> list[Sent]:
        """Return all events until the stream ends."""
        found = []
        while event := await self.next():
            found.append(event)
        return found

    def _read(self, line: bytes) -> tuple[str, str]:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "id":
            self.last_id = value
        return field, value
