"""What is not yet as it must be: each entry names the area that is working on it."""

from typing import Any

import pytest

# (rule, folder) -> who mends it
PENDING: dict[tuple[str, str], str] = {
    ("class names", "all"): "A, B, C",
    ("module names", "all"): "A, B, C",
}


def each(rule: str, folders: tuple[str, ...]) -> list[Any]:
    """Return the folders as parameters of a test; the pending ones are expected to fail."""
    return [pytest.param(folder, marks=_marks(rule, folder), id=folder) for folder in folders]


def _marks(rule: str, folder: str) -> tuple[pytest.MarkDecorator, ...]:
    area = PENDING.get((rule, folder))
    return (pytest.mark.xfail(reason=f"area {area}", strict=False),) if area else ()
