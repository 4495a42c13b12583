"""Propose a field for each column of a file, by its name: the same, spelled otherwise, usual, or similar.

A proposal is shown with its reason and can be changed, so a wrong one costs a look. A field that is proposed
twice goes to the column with the better reason; the other one is left out.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from functools import lru_cache
from itertools import zip_longest
from typing import Final

from schemas.formats.csv_header import clean_name
from schemas.items.contacts import CSV_NAMES, JSON_COLUMNS
from schemas.operations import BY_PHONE, CONTACT, ItemKind
from schemas.previews.usual_names import FIRST_NAME, LAST_NAME, USUAL_NAMES, WORDS_AROUND

SIMILAR_COLUMNS: Final = 200  # compared letter by letter; the columns after them only by their words
SIMILARITY: Final = 0.88  # of 1: `telphone` and `telephone` have 0.94, `phone` and `home` 0.67
SIMILAR_LENGTH: Final = range(5, 41)  # letters of a name; in a shorter one a letter makes another word
MAX_KEY: Final = 60  # characters of a proposed key of metadata
_CAMEL: Final = re.compile(r"(?<=[a-z\d])(?=[A-Z])")
_IN_BRACKETS: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_WORD: Final = re.compile(r"[^\W_]+")
_PLAIN_LETTERS: Final = str.maketrans({"\N{LATIN SMALL LETTER DOTLESS I}": "i", "ł": "l", "ø": "o"})


class Match(IntEnum):
    """Why a field is proposed for a column, the best reason first."""

    EXACT = 0  # the api reads the column so by itself
    SPELLING = 1
    USUAL = 2
    SIMILAR = 3
    TAKEN = 4  # left out: another column is this field
    UNKNOWN = 5  # left out: no field was found
    VERDICT = 6  # left out: a column that a file of item errors adds


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The proposed field of a column; "": it is left out.

    `by_name` is the field that the api reads without being told: "" for a column that it ignores, None for
    one that it does not know. `key` is a key of `metadata` that could hold the column.
    """

    field: str
    reason: Match
    by_name: str | None
    key: str


def propose(
    names: Sequence[str], kind: ItemKind, properties: Iterable[str] = (), samples: Sequence[str] = ()
) -> list[Proposal]:
    """Return a proposal for each column.

    `properties` are the names of those of the account. `samples`: a cell of each column, "" if there is none.
    """
    known = _known_names(kind, properties)
    found = []
    for position, (name, sample) in enumerate(zip_longest(names, samples, fillvalue="")):
        by_name = kind.known_column(clean_name(name))
        if by_name in JSON_COLUMNS and sample and not sample.lstrip().startswith("{"):
            by_name = None  # the api reads JSON in this column: a street would fail
        found.append(_find(name, by_name, known, position < SIMILAR_COLUMNS))
    wanted = _one_each(_with_names(found), kind)
    return [
        Proposal(field=field, reason=reason, by_name=kind.known_column(clean_name(name)), key=key)
        for name, (field, reason), key in zip(names, wanted, _keys(names), strict=True)
    ]


def _known_names(kind: ItemKind, properties: Iterable[str]) -> Mapping[str, tuple[str, Match]]:
    """Return the field of each squashed name that is known, with the reason."""
    if kind is not CONTACT:
        return {name: found for name, found in _usual_names().items() if found[0] in kind.columns}
    own = {_squash(name): (f"properties.{name}", Match.SPELLING) for name in properties}
    return {**own, **_usual_names()}


@lru_cache(maxsize=1)
def _usual_names() -> Mapping[str, tuple[str, Match]]:
    usual = {_squash(name): (field, Match.USUAL) for field, names in USUAL_NAMES.items() for name in names}
    spelled = {
        _squash(name): (field, Match.SPELLING)
        for name, field in CSV_NAMES.items()
        if field not in JSON_COLUMNS
    }
    return {**usual, **spelled}


def _find(
    name: str, by_name: str | None, known: Mapping[str, tuple[str, Match]], may_be_similar: bool
) -> tuple[str, Match]:
    """Return the field for one column, whatever the other columns are."""
    if by_name is not None:
        return (by_name, Match.EXACT) if by_name else ("", Match.VERDICT)
    squashed = _squash(name)
    if found := known.get(squashed):
        return found
    words = [word for word in _words(_IN_BRACKETS.sub(" ", name)) if word not in WORDS_AROUND]
    if found := known.get("".join(words)):
        return found[0], Match.SIMILAR
    if may_be_similar and len(squashed) in SIMILAR_LENGTH:
        close = get_close_matches(squashed, known, n=1, cutoff=SIMILARITY)
        if close:
            return known[close[0]][0], Match.SIMILAR
    return "", Match.UNKNOWN


def _with_names(found: Sequence[tuple[str, Match]]) -> list[tuple[str, Match]]:
    """Replace first and last names: a first name alone is the name, beside a last name both are metadata."""
    fields = {field for field, _ in found}
    alone = "name" not in fields and len(fields & {FIRST_NAME, LAST_NAME}) == 1
    return [
        ("name" if alone else f"metadata.{field.replace(' ', '_')}", reason)
        if field in {FIRST_NAME, LAST_NAME}
        else (field, reason)
        for field, reason in found
    ]


def _one_each(found: Sequence[tuple[str, Match]], kind: ItemKind) -> list[tuple[str, Match]]:
    """Leave out all columns of a field but the best. An item that is a reference has only one name."""
    best: dict[str, int] = {}
    for position in sorted(range(len(found)), key=lambda position: found[position][1]):
        if found[position][0]:
            best.setdefault(found[position][0], position)
    kept = set(best.values())
    if kind is not CONTACT:
        order = ("phone", "id", "external_id") if kind is BY_PHONE else kind.columns
        naming = sorted(
            (position for field, position in best.items() if field in order),
            key=lambda position: (found[position][1], order.index(found[position][0])),
        )
        kept -= set(naming[1:])
    return [
        pair if position in kept or not pair[0] else ("", Match.TAKEN) for position, pair in enumerate(found)
    ]


def _keys(names: Sequence[str]) -> list[str]:
    """Return a key of metadata for each column; no two are the same."""
    keys: dict[str, None] = {}
    for position, name in enumerate(names, start=1):
        key = "_".join(_WORD.findall(name.casefold()))[:MAX_KEY] or f"column_{position}"
        while key in keys:
            key = f"{key}_{position}"
        keys[key] = None
    return list(keys)


def _words(name: str) -> list[str]:
    """Return the words of a name: `phoneNumber`, `Phone Number` and `PHONE_NUMBER` have the same."""
    plain = unicodedata.normalize("NFKD", _CAMEL.sub(" ", name.replace("ß", "ss"))).casefold()
    kept = "".join(character for character in plain if not unicodedata.combining(character))
    return _WORD.findall(kept.translate(_PLAIN_LETTERS))


def _squash(name: str) -> str:
    return "".join(_words(name))
