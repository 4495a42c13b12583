"""SQL with placeholders for what Python declares: lists of columns, codes of an enum, limits.

A value that varies between calls is a query parameter (`:size`). A placeholder is written `@name@`, which is
not PostgreSQL syntax. It is filled in once, when the module is loaded, so the planner sees a constant.
"""

import re
from collections.abc import Mapping
from enum import IntEnum

PLACEHOLDER = re.compile(r"@(?P<name>[a-z][a-z0-9_.]*)@")
HALF = re.compile(r"@[a-z][a-z0-9_.]*|[a-z0-9_.]+@")  # a placeholder that lacks one of its @ signs


class TemplateError(ValueError):
    """A template and its names do not match."""


def render(text: str, names: Mapping[str, str | int]) -> str:
    """Replace each `@name@` in `text` by `names[name]`.

    The values are inserted literally and are not searched for placeholders. Raises TemplateError for a
    placeholder without a value, a value without a placeholder, and a placeholder that lacks an @ sign.
    """
    wanted = {match["name"] for match in PLACEHOLDER.finditer(text)}
    if unknown := sorted(wanted - names.keys()):
        raise TemplateError(f"the SQL has placeholders without a value: {', '.join(unknown)}")
    if unused := sorted(names.keys() - wanted):
        raise TemplateError(f"the SQL has no placeholder for: {', '.join(unused)}")
    if half := HALF.search(PLACEHOLDER.sub(" ", text)):
        raise TemplateError(f"{half[0]!r} is not a placeholder: write @name@")
    return PLACEHOLDER.sub(lambda match: str(names[match["name"]]), text)


def codes(*members: IntEnum) -> dict[str, int]:
    """Return the stored numbers of enum members by placeholder: `@outcome.merged@` for Outcome.MERGED."""
    return {f"{type(member).__name__}.{member.name}".lower(): member.value for member in members}
