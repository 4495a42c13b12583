"""Join calls that wait: what arrives while a call for the same key runs goes together into the next call."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, Self, TypeVar

from storage.background import cancel

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Result = TypeVar("Result")


class GroupCommit(Generic[Key, Value, Result]):
    """Passes values to `run`, which returns a result for each of them, in their order.

    At most one call runs for each key. The first value is passed at once; those that arrive meanwhile wait,
    and are passed in one call of at most `most` values and `most_bytes` by `size`. If such a call raises one
    of `alone`, each of its values is passed alone, so that it fails alone. Other errors fail all of them.
    """

    def __init__(
        self,
        run: Callable[[Key, Sequence[Value]], Awaitable[Sequence[Result]]],
        *,
        most: int,
        most_bytes: int,
        size: Callable[[Value], int],
        alone: tuple[type[Exception], ...] = (),
    ) -> None:
        self._run = run
        self._most = most
        self._most_bytes = most_bytes
        self._size = size
        self._alone = alone
        # what waits, by key; a key is absent unless a call for it runs
        self._waiting: dict[Key, list[_Entry[Value, Result]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._tasks:
            await cancel(next(iter(self._tasks)))

    async def ask(self, key: Key, value: Value) -> Result:
        """Return the result of a value. Raises what `run` raises."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            entry = _Entry[Value, Result](value)
            waiting.append(entry)
            return await entry.result
        self._waiting[key] = []
        try:
            (result,) = await self._run(key, [value])
            return result
        finally:
            self._go_on(key)

    def _go_on(self, key: Key) -> None:
        """Pass what has arrived meanwhile, in a task: the caller does not wait for it."""
        if not self._waiting[key]:
            del self._waiting[key]
            return
        task = asyncio.create_task(self._pass_next(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_next(self, key: Key) -> None:
        entries = self._take(key)
        try:
            await self._pass(key, entries)
        finally:
            for entry in entries:  # the task was cancelled
                entry.result.cancel()
            self._go_on(key)

    def _take(self, key: Key) -> "list[_Entry[Value, Result]]":
        """Take the entries of the next call. An entry whose caller has left is dropped."""
        waiting = [entry for entry in self._waiting[key] if not entry.result.done()]
        size = count = 0
        for entry in waiting[: self._most]:
            size += self._size(entry.value)
            if count and size > self._most_bytes:
                break
            count += 1
        self._waiting[key] = waiting[count:]
        return waiting[:count]

    async def _pass(self, key: Key, entries: "Sequence[_Entry[Value, Result]]") -> None:
        try:
            results = await self._run(key, [entry.value for entry in entries]) if entries else []
        except Exception as error:
            if len(entries) > 1 and isinstance(error, self._alone):
                for entry in entries:
                    await self._pass(key, [entry])
                return
            for entry in entries:
                entry.fail(error)
        else:
            for entry, result in zip(entries, results, strict=True):
                entry.succeed(result)


class _Entry(Generic[Value, Result]):
    def __init__(self, value: Value) -> None:
        self.value = value
        self.result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def succeed(self, result: Result) -> None:
        if not self.result.done():  # the caller has left
            self.result.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)
