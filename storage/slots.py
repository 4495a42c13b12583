"""Slots limit how many tasks run at once. A step that takes long leaves its slot to other tasks."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from schemas.ids import AccountId
from storage.background import cancel
from storage.postgres.db_errors import is_ours
from storage.repeated_log import RepeatedLog

T = TypeVar("T")

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.5


class Slots:
    """Runs at most `number` tasks at once in slots. A step that takes longer than `patience` leaves its slot.

    A lock, a slow statement or many rows may be in the way of a step. In their slots, a few such steps of one
    account would stop all others. A step may leave its slot if fewer than `places` have left, and fewer than
    half of `places` are of its account. So fewer than `places + number` steps are beside the slots.
    """

    def __init__(self, number: int, *, places: int, patience: float = PATIENCE_SECONDS) -> None:
        self.semaphore = asyncio.Semaphore(number)
        self.patience = patience
        self._places = places
        self._left: Counter[AccountId] = Counter()  # steps that have left their slots
        self._beside: set[asyncio.Task[Any]] = set()
        self._repeated = RepeatedLog(logger)

    async def run(self, work: Callable[["Slot"], Coroutine[Any, Any, T]]) -> T | None:
        """Wait for a slot and run `work` in it. Returns its result, or None as soon as it left the slot.

        Raises what it raises. An error of work that has left its slot is logged.
        """
        async with self.semaphore:
            slot = Slot(self)
            task = asyncio.create_task(work(slot))
            first: set[asyncio.Future[Any]] = {task, slot.left}
            try:
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                await _end(task)
                raise
            if task.done():
                return task.result()
            self._beside.add(task)
            task.add_done_callback(self._forget)
            return None

    async def wait(self) -> None:
        """Wait until all work that has left its slot is over."""
        while self._beside:
            await asyncio.wait(self._beside)

    async def aclose(self) -> None:
        """Cancel the work that has left its slot, and wait for its end."""
        while self._beside:
            await _end(next(iter(self._beside)))

    def may_leave(self, account_id: AccountId) -> bool:
        """Return whether a step of this account may leave its slot if it takes long."""
        return self._left.total() < self._places and not self.has_its_share(account_id)

    def has_its_share(self, account_id: AccountId) -> bool:
        """Return whether as many slow steps of this account have left their slots as may."""
        return self._left[account_id] >= max(1, self._places // 2)

    def count(self, account_id: AccountId, left: int) -> None:
        """Add to the number of steps of this account that have left their slots."""
        self._left[account_id] += left
        if not self._left[account_id]:
            del self._left[account_id]  # or else the counter grows with the number of accounts

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._beside.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            kind = f"slow work failed with {type(error).__name__}"
            exc_info = error if is_ours(error) else None
            self._repeated.log(logging.WARNING, kind, "%s: %s", kind, error, exc_info=exc_info)


class Slot:
    """The slot of one task."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        # done as soon as the work has left its slot. The work must then end with its current step, because
        # other work has the slot now.
        self.left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._counted: AccountId | None = None

    @contextmanager
    def step(self, account_id: AccountId) -> Iterator[bool]:
        """Leave the slot if the body takes longer than the patience. Yield whether it may.

        If it may not, too many steps have left their slots, and the body should not wait for anybody.
        """
        if not self._slots.may_leave(account_id):
            yield False
            return
        timer = asyncio.get_running_loop().call_later(self._slots.patience, self._leave, account_id)
        try:
            yield True
        finally:
            timer.cancel()
            if self._counted is not None:
                self._slots.count(self._counted, -1)
                self._counted = None

    def _leave(self, account_id: AccountId) -> None:
        self._counted = account_id
        self._slots.count(account_id, 1)
        if not self.left.done():
            self.left.set_result(None)


async def _end(task: "asyncio.Task[Any]") -> None:
    await cancel(task)
    if not task.cancelled():
        task.exception()  # read, so that asyncio does not log it
