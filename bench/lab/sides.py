"""Services beside each other that do the same work with different settings, and what it costs each of them.

They work in turns, another one first in each round, to measure their rates. Then all work at the same time,
to measure their processor time: other programs that run for a while then slow all sides alike. In turns, they
would slow one side alone, which hides a difference of a few per cent. A ratio is that of one round.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.lab.client import Client
from bench.lab.cost import Cost
from bench.lab.results import Results
from bench.lab.service import Service


@dataclass(frozen=True, kw_only=True)
class Side:
    """A service with its settings, called `what`, and a client of it."""

    what: str
    service: Service
    client: Client


Work = Callable[[Side, int], Awaitable[Cost]]  # its number grows from call to call
Round = Mapping[str, Cost]  # by `what` of the side


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The costs of one kind of work on each side, by round. The others are compared with the first side."""

    in_turns: Sequence[Round]
    at_once: Sequence[Round]

    @classmethod
    def of(cls, parts: "Sequence[Compared]") -> "Compared":
        """Return what was compared in several rounds."""
        return cls(
            in_turns=[one for part in parts for one in part.in_turns],
            at_once=[one for part in parts for one in part.at_once],
        )

    def report(self, results: Results, unit: str) -> None:
        """Report a row for each side."""
        first, *_ = self.at_once[0]
        for side in self.at_once[0]:
            costs = [costs_of[side] for costs_of in self.in_turns]
            results.row(
                f"{unit}, {side}",
                done_per_s=[cost.rate for cost in costs],
                rate_ratio=[costs_of[side].rate / costs_of[first].rate for costs_of in self.in_turns],
                processor_ratio=self.processor_ratios(side),
                **Cost.columns(costs),
            )

    def processor_ratios(self, side: str) -> list[float]:
        """Return the processor time of a side against that of the first one, by round."""
        first, *_ = self.at_once[0]
        return [costs_of[side].all_micros / costs_of[first].all_micros for costs_of in self.at_once]


async def compare(
    sides: Sequence[Side], work: Work, number: int, *, ready: Callable[[Side], Awaitable[None]]
) -> Compared:
    """Have all sides do the work in a round, in turns and at once. `ready` comes before each."""
    first = number % len(sides)
    in_turns = await _in_turns((*sides[first:], *sides[:first]), work, 2 * number, ready)
    at_once = await _at_once(sides, work, 2 * number + 1, ready)
    return Compared(in_turns=[in_turns], at_once=[at_once])


async def _in_turns(
    sides: Sequence[Side], work: Work, number: int, ready: Callable[[Side], Awaitable[None]]
) -> Round:
    costs = {}
    for side in sides:
        await ready(side)
        costs[side.what] = await work(side, number)
    return costs


async def _at_once(
    sides: Sequence[Side], work: Work, number: int, ready: Callable[[Side], Awaitable[None]]
) -> Round:
    for side in sides:
        await ready(side)
    costs = await asyncio.gather(*(work(side, number) for side in sides))
    return {side.what: cost for side, cost in zip(sides, costs, strict=True)}
