"""The history of a contact in a job: the value that each field should have, and the one written last. Pure.

The rule, for one contact: its items take effect in the order of their indexes. A change over REST takes
effect right after the items that were applied before it, that is, after the one with the highest index among
them. So the change stays, unless an item with a higher index was applied later.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from pydantic_core import to_json

from schemas.items.contacts import JSON_FIELDS, KEY
from storage.entities.contacts import RecordedChange

UNKNOWN: Final = object()  # in place of a value that an item set, if it cannot be read again
Path = tuple[str, ...]  # (field,), or (field, key) in a JSON field that merges by key


class _Value(NamedTuple):
    """A value of a field, None if cleared. `at` is the index of its item, or the number of its chunk."""

    at: int
    value: Any


@dataclass(slots=True)
class History:
    """What the items of a job set in one contact.

    Keeps two values for each field, so its size does not depend on the number of items.
    """

    _last: dict[Path, _Value] = field(default_factory=dict)  # of the last item, by index
    _newest: dict[Path, _Value] = field(default_factory=dict)  # of the item applied last, by number
    _ends: dict[int, int] = field(default_factory=dict)  # the highest index of each chunk, by number
    _unknown: set[str] = field(default_factory=set)  # fields to leave as they are

    def add(self, index: int, applied: int, fields: Mapping[str, Any]) -> None:
        """Add an item. Items come in the order of their indexes. `applied` is the number of its chunk.

        A field that is UNKNOWN is never corrected.
        """
        self._ends[applied] = index
        self._unknown |= {name for name, value in fields.items() if value is UNKNOWN}
        for path, value in _flat(fields):
            self._last[path] = _Value(index, value)
            if path not in self._newest or self._newest[path].at <= applied:
                self._newest[path] = _Value(applied, value)

    def values(self, name: str) -> set[Any]:
        """Return the values that a correction of a field could set, except null."""
        values = {last.value for path, last in self._last.items() if path[0] == name}
        return values - {None}

    def corrections(self, changes: Sequence[RecordedChange], stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields to set in the contact, as in an item, so that its items took effect in order.

        `changes` are its changes over REST, in the order of their numbers. A field whose stored value is not
        the one that was written last is left alone, because somebody else has changed it.
        """
        corrected: dict[str, Any] = {}
        changed = {
            path: _Value(change.applied, value) for change in changes for path, value in _flat(change.fields)
        }
        for path, last in self._last.items():
            if path[0] in self._unknown:
                continue
            now, wanted = self._newest[path], last.value
            if change := changed.get(path):
                if last.at <= self._index_before(change.at):
                    wanted = change.value
                now = max(now, change, key=lambda written: written.at)
            if not _equal(now.value, wanted) and _equal(now.value, _stored(stored, path)):
                _put(corrected, path, wanted)
        return corrected

    def _index_before(self, applied: int) -> int:
        """Return the highest index of the items that were applied before a number; -1 if there is none."""
        return max((index for number, index in self._ends.items() if number < applied), default=-1)


def _flat(fields: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for name, value in fields.items():
        if value is UNKNOWN:
            continue
        if name in JSON_FIELDS:
            yield from (((name, key), inner) for key, inner in (value or {}).items())
        elif name != KEY:
            yield (name,), value


def _stored(fields: Mapping[str, Any], path: Path) -> Any:
    value = fields.get(path[0])
    return value if len(path) == 1 else (value or {}).get(path[1])


def _put(fields: dict[str, Any], path: Path, value: Any) -> None:
    if len(path) == 1:
        fields[path[0]] = value
    else:
        fields.setdefault(path[0], {})[path[1]] = value


def _equal(one: Any, other: Any) -> bool:
    """Compare values as PostgreSQL stores them: a UUID equals its text, and numbers are exact decimals."""
    if one == other or (isinstance(one, str) and isinstance(other, str)):
        return bool(one == other)
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    return json.loads(to_json(value), parse_float=Decimal)
