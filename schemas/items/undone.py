"""The items of an undo, which the api writes: a contact that a job has changed, and images that name it."""

from typing import NotRequired

from pydantic import ConfigDict
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on

from schemas.item_errors import ADDED


class UndoItem(TypedDict):
    """A contact to undo. `images` are numbers of images, in order; `created`: the job has created it."""

    __pydantic_config__ = ConfigDict(extra="ignore")  # type: ignore[misc]

    contact: int
    images: list[int]
    created: NotRequired[bool]


COLUMNS = ("contact", "images", "created")


def known_column(name: str) -> str | None:
    """Return the canonical name of a column, "" for one that is ignored, None for an unknown one."""
    return "" if name in ADDED else (name if name in COLUMNS else None)
