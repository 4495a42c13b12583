"""The layout of a CSV file: what its header row said, as it is stored with the job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvLayout:
    """The layout of a row, stored with the job. `columns` are the fields in order, "" is ignored.

    `left_out` names the columns that are ignored and come back with the errors of their rows, and has "" for
    the others. It is empty if there is no such column. These names are unique, and not in `columns`.
    `names` are the names in the file, if its columns are kept; otherwise it is empty.
    """

    delimiter: str
    columns: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the layout as JSON."""
        more = {"left_out": list(self.left_out), "names": list(self.names)}
        return {
            "delimiter": self.delimiter,
            "columns": list(self.columns),
            **{key: value for key, value in more.items() if value},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the layout from the JSON of `to_dict`."""
        return cls(
            delimiter=data["delimiter"],
            columns=tuple(data["columns"]),
            left_out=tuple(data.get("left_out", ())),
            names=tuple(data.get("names", ())),
        )

    def whole(self) -> "CsvLayout":
        """Return the layout with the columns that are left out, to read a row as it was sent."""
        if not self.left_out:
            return self
        columns = tuple(map(str.__add__, self.columns, self.left_out))  # one of the two is empty
        return CsvLayout(delimiter=self.delimiter, columns=columns)
