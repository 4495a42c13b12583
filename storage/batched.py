"""Answer the questions that are asked at the same moment by one call: one round trip in place of many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batched(Generic[Question, Answer]):
    """Collects the questions of one round of the event loop, and passes them to `answer_all`.

    `answer_all` returns an answer for each question, in their order. Its error is raised to all who asked.
    It is cancelled when all who asked are cancelled.
    """

    def __init__(self, answer_all: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]) -> None:
        self._answer_all = answer_all
        self._batch: _Batch[Question, Answer] | None = None  # that collects questions

    async def ask(self, question: Question) -> Answer:
        """Return the answer to one question."""
        batch = self._batch
        if batch is None or batch.task.cancelling():  # cancelled before it began: it answers nobody
            batch = self._batch = _Batch()
            batch.task = asyncio.create_task(self._answer(batch))  # begins after all who ask in this round
        batch.asked.append(question)
        return await batch.answer(len(batch.asked) - 1)

    async def _answer(self, batch: "_Batch[Question, Answer]") -> Sequence[Answer]:
        self._batch = None
        return await self._answer_all(batch.asked)


class _Batch(Generic[Question, Answer]):
    """The questions of one call, and the task that answers them."""

    task: asyncio.Task[Sequence[Answer]]

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self._cancelled = 0

    async def answer(self, place: int) -> Answer:
        try:
            return (await asyncio.shield(self.task))[place]
        except asyncio.CancelledError:
            self._cancelled += 1
            if self._cancelled == len(self.asked):
                self.task.cancel()
                await asyncio.wait({self.task})
            raise
