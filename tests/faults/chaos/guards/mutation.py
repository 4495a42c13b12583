"""A guard of a promise: how to remove it, and the tests that must notice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A guard, its exact text in `file`, the text without it, and the tests that turn red.

    `times` is how often the text occurs; each is replaced.
    """

    guard: str
    promise: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]
    times: int = 1
