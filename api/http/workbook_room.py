"""Bound what the workbooks of all requests take: bytes of temporary files, and the time of the processor.

A workbook of 30 KB can take ten seconds to read. So few are read at a time, fewer of one account, and of
these only some have a thread at the same moment, in turn, so that a short one is not behind a long one.
"""

import asyncio
import math
from collections import Counter

from aiohttp import web

from api.http.memory import SHARES, Memory, Share
from schemas.errors import Unavailable
from schemas.ids import AccountId

FILES = 16  # of the largest size, in temporary files at a time; a quarter of them of one account
READ_AT_ONCE = 8  # workbooks; two of one account
THREADS = 2  # the others of Python's pool are for other work
WAIT_SECONDS = 30.0  # for a place; a client waits longer for its response


class WorkbookRoom:
    """The workbooks of one process."""

    def __init__(self, most_bytes: int, *, read_at_once: int = READ_AT_ONCE) -> None:
        self.disk = Memory(
            FILES * most_bytes,
            "the api has as many bytes of workbooks in temporary files as it may: send the request again",
        )
        self.threads = asyncio.Semaphore(THREADS)
        self._most = read_at_once
        self._read: Counter[AccountId] = Counter()
        self._freed = asyncio.Event()  # until then, the places are taken

    def place(self, account_id: AccountId) -> "WorkbookPlace":
        """Return the place of one workbook. The caller must close it."""
        return WorkbookPlace(self, account_id)

    async def take(self, account_id: AccountId) -> None:
        """Wait for a place to read a workbook. Raises Unavailable when the time is up."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while self._read.total() >= self._most or self._read[account_id] >= self._most // SHARES:
                    await self._freed.wait()
        except TimeoutError:
            message = "the api reads as many workbooks as it may: send the request again, or save it as CSV"
            raise Unavailable(message, retry_after=math.ceil(WAIT_SECONDS)) from None
        self._read[account_id] += 1

    def free(self, account_id: AccountId) -> None:
        """Give a place back."""
        self._read[account_id] -= 1
        if not self._read[account_id]:
            del self._read[account_id]
        self._freed.set()
        self._freed = asyncio.Event()


class WorkbookPlace:
    """What one workbook takes."""

    def __init__(self, room: WorkbookRoom, account_id: AccountId) -> None:
        self._room = room
        self._account_id = account_id
        self._file = Share(room.disk, account_id)
        self._is_read = False
        self.threads = room.threads

    def store(self, size: int) -> None:
        """Hold a temporary file of `size` bytes. Raises Unavailable."""
        self._file.reach(size)

    async def begin(self) -> None:
        """Wait until the workbook may be read. Raises Unavailable."""
        await self._room.take(self._account_id)
        self._is_read = True

    def close(self) -> None:
        """Give everything back."""
        self._file.close()
        if self._is_read:
            self._room.free(self._account_id)
        self._is_read = False


WORKBOOKS = web.AppKey("workbooks", WorkbookRoom)
