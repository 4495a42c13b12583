"""SQL with placeholders, for text that is derived from a declaration: lists of columns, mostly.

A value belongs in a query parameter (`:size`). A placeholder stands for SQL text that no parameter can carry.
It is written `@name@`, which is no PostgreSQL syntax, and it is filled in once, when the module is loaded.
"""

import re
from collections.abc import Mapping

PLACEHOLDER = re.compile(r"@(?P<name>[a-z][a-z0-9_.]*)@")
HALF = re.compile(r"@[a-z][a-z0-9_.]*|[a-z0-9_.]+@")  # a placeholder that lacks one of its signs


class TemplateError(ValueError):
    """A template and its names do not match."""


def render(text: str, names: Mapping[str, str]) -> str:
    """Replace each `@name@` in `text` by `names[name]`.

    The values are inserted as they are and are not searched for placeholders.
    Raises TemplateError for a placeholder without a value, a value without a placeholder, and half a
    placeholder.
    """
    wanted = {found["name"] for found in PLACEHOLDER.finditer(text)}
    if unknown := sorted(wanted - names.keys()):
        raise TemplateError(f"the SQL has placeholders without a value: {', '.join(unknown)}")
    if unused := sorted(names.keys() - wanted):
        raise TemplateError(f"the SQL has no placeholder for: {', '.join(unused)}")
    if half := HALF.search(PLACEHOLDER.sub(" ", text)):
        raise TemplateError(f"{half[0]!r} is not a placeholder: write @name@")
    return PLACEHOLDER.sub(lambda found: names[found["name"]], text)
