"""What a field of a contact gets back: from the values before and after each change of a job. Pure.

The changes of a job to a field are walked from the newest to the oldest. While the value is the one that the
job wrote, it becomes the one before. Any other value was written later by somebody else: the undo keeps it
and says so, unless it is the one from before the job, or the undo is forced.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from worker.undo.json_values import read_object, write_value

ABSENT: Final = object()  # in place of the value of a key that an object does not have


class BeforeAfter(NamedTuple):
    """A change of a field: the values before and after it, as text. None: the field had no value."""

    old: str | None
    new: str | None


class Walked(NamedTuple):
    """The value that a field gets, and what is kept of it: keys of a JSON field; "" is the whole field."""

    value: str | None
    kept: Sequence[str] = ()


def walk(changes: Sequence[BeforeAfter], now: str | None, *, force: bool) -> Walked:
    """Return what a field gets whose value is `now`. `changes` are those of the job, the newest first."""
    first = changes[-1].old
    if force or now == first:
        return Walked(first)
    value = now
    for old, new in changes:
        if value != new:
            break
        value = old
    return Walked(value, () if value == first else ("",))


def walk_keys(changes: Sequence[BeforeAfter], now: str | None, *, force: bool) -> Walked:
    """As `walk`, for a JSON field: each key of the object is a field of its own."""
    value = now
    for old, new in changes:
        if value != new:
            break
        value = old
    else:
        return Walked(value)  # most fields: nobody has changed any key since
    return _walk_each(changes, now, force=force)


def _walk_each(changes: Sequence[BeforeAfter], now: str | None, *, force: bool) -> Walked:
    stored = read_object(now)
    of_key: dict[str, list[tuple[Any, Any]]] = {}
    for change in changes:
        old, new = read_object(change.old), read_object(change.new)
        for key in old | new:
            before, after = old.get(key, ABSENT), new.get(key, ABSENT)
            if not _same(before, after):
                of_key.setdefault(key, []).append((before, after))
    result, kept = dict(stored), []
    for key, pairs in of_key.items():
        value, is_kept = _walk_key(pairs, stored.get(key, ABSENT), force=force)
        if is_kept:
            kept.append(key)
        if value is ABSENT:
            result.pop(key, None)
        else:
            result[key] = value
    return Walked(now if _same(result, stored) else write_value(result), kept)


def _walk_key(pairs: Sequence[tuple[Any, Any]], now: Any, *, force: bool) -> tuple[Any, bool]:
    first = pairs[-1][0]
    if force or _same(now, first):
        return first, False
    value = now
    for old, new in pairs:
        if not _same(value, new):
            break
        value = old
    return value, not _same(value, first)


def _same(one: Any, other: Any) -> bool:
    """Compare values by their text, because True equals 1 in Python."""
    if one is ABSENT or other is ABSENT:
        return one is other
    return write_value(one) == write_value(other)
