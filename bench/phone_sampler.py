"""Generate random texts that match a pattern of phone metadata.

A pattern has digits, `\\d`, classes, groups, `|`, `?` and `{m,n}`.
"""

from collections.abc import Callable
from random import Random

Sample = Callable[[Random], str]


def sampler(pattern: str) -> Sample:
    """Return a function that returns a random text which the whole pattern matches."""
    reader = _Reader(pattern)
    sample = reader.alternatives()
    if reader.at != len(pattern):
        raise ValueError(f"cannot read {pattern!r} at {reader.at}")
    return sample


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.at = 0

    def alternatives(self) -> Sample:
        choices = [self._sequence()]
        while self._next() == "|":
            self.at += 1
            choices.append(self._sequence())
        return choices[0] if len(choices) == 1 else lambda rng: rng.choice(choices)(rng)

    def _sequence(self) -> Sample:
        parts: list[Sample] = []
        while self._next() not in {"", "|", ")"}:
            parts.append(self._repeated(self._atom()))
        return lambda rng: "".join([part(rng) for part in parts])

    def _atom(self) -> Sample:
        char = self._take(1)
        if char == "(":
            if self._pattern.startswith("?:", self.at):
                self._take(2)
            inner = self.alternatives()
            self._expect(")")
            return inner
        if char == "[":
            return _any_of(_members(self._take_to("]")))
        if char == "\\":
            self._expect("d")
            return _any_of("0123456789")
        if char == "$":
            return _any_of([""])
        if char.isdecimal():
            return _any_of([char])
        raise ValueError(f"cannot read {char!r} in {self._pattern!r}")

    def _repeated(self, atom: Sample) -> Sample:
        if self._next() == "?":
            self.at += 1
            return _times(atom, 0, 1)
        if self._next() == "{":
            self.at += 1
            least, _, most = self._take_to("}").partition(",")
            return _times(atom, int(least), int(most or least))
        return atom

    def _next(self) -> str:
        return self._pattern[self.at : self.at + 1]

    def _take(self, length: int) -> str:
        self.at += length
        return self._pattern[self.at - length : self.at]

    def _take_to(self, end: str) -> str:
        stop = self._pattern.index(end, self.at)
        taken = self._take(stop - self.at)
        self.at += 1
        return taken

    def _expect(self, char: str) -> None:
        if self._take(1) != char:
            raise ValueError(f"expected {char!r} before {self.at} in {self._pattern!r}")


def _members(inside: str) -> str:
    """Return the members of a class: "1235" for "1-35"."""
    members = ""
    for at, char in enumerate(inside):
        if char == "-":
            members += "".join(map(str, range(int(inside[at - 1]) + 1, int(inside[at + 1]))))
        else:
            members += char
    return members


def _any_of(texts: str | list[str]) -> Sample:
    return lambda rng: rng.choice(texts)


def _times(atom: Sample, least: int, most: int) -> Sample:
    return lambda rng: "".join([atom(rng) for _ in range(rng.randint(least, most))])
