"""Compare `schemas.items.phone` with `phonenumbers`: validity, E.164 text and speed.

./run bench phone                            # two million generated numbers on two cores, then the speed
./run bench phone --numbers 20000 --seed 7   # fewer numbers, repeatable
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from random import Random, SystemRandom
from typing import Annotated

import phonenumbers
import typer
from phonenumbers import PhoneNumberFormat

from bench.lab.results import Results
from bench.phone_numbers import authority, plans, trials, verdict
from schemas.items.phone import normalise, normaliser_for
from schemas.items.phone_patterns import fast_path

PROCESSES = 2  # the README's numbers are for two cores
SHOWN = 20  # maximum of disagreements to print

Numbers = Sequence[tuple[str, str | None]]


@dataclass(slots=True)
class Tally:
    """The result of a run of trials. `disagreements` are lines to print."""

    trials: int = 0
    valid: int = 0
    disagreements: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add the trials of another run."""
        self.trials += other.trials
        self.valid += other.valid
        self.disagreements += other.disagreements


def compare(seed: int, count: int) -> Tally:
    """Compare both libraries on `count` generated numbers. The same seed gives the same numbers."""
    tally = Tally()
    for text, region in trials(seed, count):
        expected = verdict(text, region)
        result = normalise(text, region)
        actual = result if isinstance(result, str) else None
        tally.trials += 1
        tally.valid += expected is not None
        if actual != expected:
            where = f"seed {seed}, trial {tally.trials}: {text!r} in {region}"
            tally.disagreements.append(f"{where}: expected {expected}, got {result}")
    return tally


def valid_numbers(seed: int, count: int) -> list[tuple[phonenumbers.PhoneNumber, str]]:
    """Return valid numbers with their regions. Each type of each country occurs equally often."""
    rng = Random(seed)
    order = [plan for plan in plans() if plan.region]
    found: list[tuple[phonenumbers.PhoneNumber, str]] = []
    for plan in cycle(order):
        if len(found) == count:
            break
        text = authority(f"+{plan.code}{plan.number(rng)}", None)
        if text is not None and plan.region is not None:
            found.append((phonenumbers.parse(text), plan.region))
    rng.shuffle(found)
    return found


def fast_share(numbers: Numbers) -> float:
    """Return the share of these valid numbers that the fast path handles, without `phonenumbers`."""
    return sum(fast_path(region)(text) is not None for text, region in numbers) / len(numbers)


def measure(
    results: Results,
    *,
    numbers: Annotated[int, typer.Option(min=1, help="Generated numbers to compare.")] = 2_000_000,
    timed: Annotated[int, typer.Option(min=1, help="Valid numbers for the speed.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of the numbers; 0: a random one.")] = 0,
) -> None:
    """Compare the phone normaliser with phonenumbers: agreement and speed."""
    seed = seed or SystemRandom().randrange(1, 1_000_000)
    results.options["seed"] = seed
    tally = _compare_on_all_cores(seed, numbers)
    print(*tally.disagreements[:SHOWN], sep="\n", end="\n" if tally.disagreements else "")
    results.row(
        "generated texts", trials=tally.trials, valid=tally.valid, disagreements=len(tally.disagreements)
    )
    results.target("phone", len(tally.disagreements))
    _measure_speed(results, valid_numbers(seed, timed))


def _compare_on_all_cores(seed: int, count: int) -> Tally:
    tally = Tally()
    share = -(-count // PROCESSES)
    with ProcessPoolExecutor(PROCESSES) as pool:
        for part in pool.map(compare, [seed + turn for turn in range(PROCESSES)], [share] * PROCESSES):
            tally.add(part)
    return tally


def _measure_speed(results: Results, numbers: Sequence[tuple[phonenumbers.PhoneNumber, str]]) -> None:
    written: dict[str, Numbers] = {
        "+14155552671": [(_write(number, PhoneNumberFormat.E164), None) for number, _ in numbers],
        "+1 415-555-2671": [(_write(number, PhoneNumberFormat.INTERNATIONAL), None) for number, _ in numbers],
        "4155552671": [(phonenumbers.national_significant_number(number), at) for number, at in numbers],
        "(415) 555-2671": [(_write(number, PhoneNumberFormat.NATIONAL), at) for number, at in numbers],
    }
    for name, texts in written.items():
        ours = _microseconds(lambda text, region: normaliser_for(region)(text), texts)
        theirs = _microseconds(authority, texts)
        results.row(
            f"valid, written like {name}",
            percent_in_fast_path=fast_share(texts) * 100,
            normalise_us=ours,
            phonenumbers_us=theirs,
            ratio=theirs / ours,
        )


def _write(number: phonenumbers.PhoneNumber, style: int) -> str:
    return phonenumbers.format_number(number, style)


def _microseconds(call: Callable[[str, str | None], object], numbers: Numbers) -> float:
    """Return the time of one call, the best of three rounds after a round that compiles patterns."""
    rounds = []
    for _ in range(4):
        started = time.perf_counter()
        for text, region in numbers:
            call(text, region)
        rounds.append(time.perf_counter() - started)
    return min(rounds[1:]) / len(numbers) * 1e6
