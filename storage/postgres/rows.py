"""Make typed rows of what a query answers, by the names of their fields."""

from collections.abc import Iterable
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Row = TypeVar("Row", bound=DataclassInstance)
else:
    Row = TypeVar("Row")


def row_of(kind: type[Row], record: asyncpg.Record) -> Row:
    """The record as a row; columns that are no field of it are left out."""
    return kind(**{name: record[name] for name in _names(kind)})


def row_or_none(kind: type[Row], record: asyncpg.Record | None) -> Row | None:
    """The record as a row, or None where the query found nothing."""
    return None if record is None else row_of(kind, record)


def rows_of(kind: type[Row], records: Iterable[asyncpg.Record]) -> list[Row]:
    """The records as rows."""
    return [row_of(kind, record) for record in records]


@lru_cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
