"""The models of the queries of pages. A form sends a field that was left empty as an empty text."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from schemas.wire.query_models import MAX_CURSOR, Query, SearchText


def _blank(text: object) -> object:
    return None if isinstance(text, str) and not text.strip() else text


BLANK = BeforeValidator(_blank)
Text = Annotated[SearchText | None, BLANK]


class JobPageQuery(Query):
    """Which errors or results of a job a page shows: the matching ones from an index on."""

    show: Literal["errors", "results"] = "errors"
    index: Annotated[int | None, BLANK] = Field(None, ge=0, le=MAX_CURSOR)
    code: Text = None
    field: Text = None
    text: Text = None
    outcome: Annotated[
        Literal["created", "updated", "unchanged", "merged", "skipped", "failed", "cancelled"] | None, BLANK
    ] = None

    @property
    def after(self) -> int:
        """The index after which the page begins; -1 for the first page."""
        return -1 if self.index is None else self.index - 1
