"""The navigation of the site, as zensical.toml lists it."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIGURATION = Path(__file__).with_name("zensical.toml")


def project() -> dict[str, Any]:
    """Return the configuration of the site."""
    found: dict[str, Any] = tomllib.loads(CONFIGURATION.read_text())["project"]
    return found


def sections() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each section of the navigation with the titles and places of its pages."""
    for section in project()["nav"]:
        ((title, entries),) = section.items()
        yield title, list(_pages(entries))


def _pages(entries: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        ((title, below),) = entry.items()
        if isinstance(below, str):
            yield title, below
        else:
            yield from _pages(below)
