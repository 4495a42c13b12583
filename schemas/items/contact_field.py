"""The description of a contact field, and the marks in its declaration from which it is made.

A field is declared once, as a line of a TypedDict in `schemas.items.contacts`. CSV columns, SQL, rows, views
and request bodies derive from the description.
"""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin

from pydantic import AliasChoices, Field
from pydantic.fields import FieldInfo
from typing_extensions import get_type_hints, is_typeddict

Merge = Literal["replace", "by_key"]


@dataclass(frozen=True, slots=True)
class Column:
    """A mark in the `Annotated` of a field: the field has this column in the table contacts.

    `type` is the type as PostgreSQL prints it, `default` is an SQL expression. A column is NOT NULL if it has
    a default or the field is required. `merge="by_key"`: the value is a JSON object; an item sets single keys
    of it and removes those that are null.
    """

    type: str
    _: KW_ONLY
    collation: str | None = None
    default: str | None = None
    merge: Merge = "replace"


@dataclass(frozen=True, slots=True)
class NumberKeys:
    """A mark: the value may also be an object of integers with these keys; in CSV, one column per key."""

    names: tuple[str, ...]


def spelled(*names: str) -> Any:
    """Return a mark with the names of the field in a JSON object, the canonical name first."""
    return Field(validation_alias=AliasChoices(*names))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactField:
    """One stored field of a contact, as its declaration describes it."""

    name: str
    spellings: tuple[str, ...]  # in a JSON object, `name` first
    type: Any  # with its limits
    plain_type: Any  # without limits: what a client reads
    column: Column
    required: bool
    in_items: bool  # False: a bulk item cannot set it
    number_keys: tuple[str, ...]

    @property
    def by_key(self) -> bool:
        """Whether an item sets single keys of the value."""
        return self.column.merge == "by_key"

    @property
    def is_json(self) -> bool:
        """Whether the value is a JSON object."""
        return self.column.type == "jsonb"

    @property
    def not_null(self) -> bool:
        """Whether the column is NOT NULL."""
        return self.required or self.column.default is not None

    @property
    def nested(self) -> bool:
        """Whether CSV may have a column for each key, as in `address.city`."""
        return self.is_json or bool(self.number_keys)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that an object as the value may have; (): any, or none."""
        declared = next((part for part in _parts(self.plain_type) if is_typeddict(part)), None)
        return self.number_keys if declared is None else tuple(declared.__annotations__)

    def has_key(self, key: str) -> bool:
        """Return whether an object as the value may have this key."""
        return key in self.keys if self.keys else self.is_json


def stored_fields(declaration: type, *, in_items: bool) -> Iterator[ContactField]:
    """Yield the fields of a TypedDict that have a column, in order.

    Raises TypeError for a field of an item that has a default and does not merge by key.
    """
    for name, hint in get_type_hints(declaration, include_extras=True).items():
        required = getattr(hint, "__origin__", None) is Required
        type_, marks = _split(get_args(hint)[0] if required else hint)
        column = next((mark for mark in marks if isinstance(mark, Column)), None)
        if column is None:
            continue
        if in_items and column.default and column.merge != "by_key":
            raise TypeError(f"{name} has a default: remove it, or an item without the field resets the value")
        keys = next((mark.names for mark in marks if isinstance(mark, NumberKeys)), ())
        limits = [mark for mark in marks if not isinstance(mark, Column | NumberKeys) and not _spells(mark)]
        yield ContactField(
            name=name,
            spellings=next(filter(None, map(_spells, marks)), (name,)),
            type=reduce(lambda inner, limit: Annotated[inner, limit], limits, type_),
            plain_type=dict[str, Any] if column.merge == "by_key" else _plain(type_),
            column=column,
            required=required,
            in_items=in_items,
            number_keys=keys,
        )


def _split(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(hint) is Annotated:
        return hint.__origin__, hint.__metadata__
    return hint, ()


def _spells(mark: object) -> tuple[str, ...]:
    """Return the names in a mark made by `spelled`; () for any other mark."""
    if isinstance(mark, FieldInfo) and isinstance(mark.validation_alias, AliasChoices):
        return tuple(name for name in mark.validation_alias.choices if isinstance(name, str))
    return ()


def _plain(hint: Any) -> Any:
    """Return a type without its marks."""
    type_, _ = _split(hint)
    return reduce(or_, map(_plain, get_args(type_))) if get_origin(type_) in {Union, UnionType} else type_


def _parts(type_: Any) -> tuple[Any, ...]:
    return get_args(type_) if get_origin(type_) in {Union, UnionType} else (type_,)
