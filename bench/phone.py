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

import phonenumbers
from phonenumbers import PhoneNumberFormat

from bench.phone_numbers import authority, plans, trials, verdict
from schemas.items.phone import normalise, normaliser_for
from schemas.items.phone_patterns import fast_path

PROCESSES = 2  # the README's numbers are for two cores
SHOWN = 20  # maximum of disagreements to print
SPEED_NUMBERS = 20_000

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


def measure(*, count: int, seed: int | None) -> bool:
    """Compare `count` numbers and print the speed of both. Return False if they disagree on any number."""
    seed = SystemRandom().randrange(1_000_000) if seed is None else seed
    tally = _compare_on_all_cores(seed, count)
    _measure(seed)
    return not tally.disagreements


def _compare_on_all_cores(seed: int, count: int) -> Tally:
    started = time.perf_counter()
    tally = Tally()
    share = -(-count // PROCESSES)
    with ProcessPoolExecutor(PROCESSES) as pool:
        for part in pool.map(compare, [seed + turn for turn in range(PROCESSES)], [share] * PROCESSES):
            tally.add(part)
    print(*tally.disagreements[:SHOWN], sep="\n", end="\n" if tally.disagreements else "")
    print(
        f"{tally.trials:,} trials from seed {seed}, {tally.valid:,} of them valid: "
        f"{len(tally.disagreements)} disagreements, {time.perf_counter() - started:.0f} s"
    )
    return tally


def _measure(seed: int) -> None:
    numbers = valid_numbers(seed, SPEED_NUMBERS)
    written: dict[str, Numbers] = {
        "+14155552671": [(_write(number, PhoneNumberFormat.E164), None) for number, _ in numbers],
        "+1 415-555-2671": [(_write(number, PhoneNumberFormat.INTERNATIONAL), None) for number, _ in numbers],
        "4155552671": [(phonenumbers.national_significant_number(number), at) for number, at in numbers],
        "(415) 555-2671": [(_write(number, PhoneNumberFormat.NATIONAL), at) for number, at in numbers],
    }
    print(f"{'valid, written like':<20}{'fast path':>10}{'normalise':>12}{'phonenumbers':>14}{'ratio':>8}")
    for name, texts in written.items():
        ours = _microseconds(lambda text, region: normaliser_for(region)(text), texts)
        theirs = _microseconds(authority, texts)
        print(f"{name:<20}{fast_share(texts):>10.1%}{ours:>9.2f} µs{theirs:>11.2f} µs{theirs / ours:>7.1f}x")


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
