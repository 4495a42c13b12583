"""Make dataclasses of JSON. Fields that the client does not know are ignored: the service may be newer."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def wire(name: str) -> Any:
    """Declare a field whose name in JSON is another one."""
    return field(metadata={"name": name})


def local() -> Any:
    """Declare a field that the service does not send: the client sets it afterwards."""
    return field(default=None, init=False)


def wire_name(declared: Field[Any]) -> str:
    """Return the name of a field in JSON."""
    name: str = declared.metadata.get("name", declared.name)
    return name


def wire_names(model: Callable[..., Any]) -> dict[str, str]:
    """Return the name in JSON of each field."""
    return {name: wired for name, wired, _, _ in _fields(model)}


def decode(model: Callable[..., T], data: Any) -> T:
    """Return the dataclass `model` with the values of a JSON object.

    Raises ValueError if the object lacks a field that has no default, or is no object.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"the response has {type(data).__name__} in place of {_name(model)}")
    values: dict[str, Any] = {}
    for name, wired, hint, required in _fields(model):
        if wired in data:
            values[name] = _value(hint, data[wired])
        elif required:
            raise ValueError(f"{_name(model)} in the response lacks {wired!r}")
    return model(**values)


def _name(model: Callable[..., Any]) -> str:
    return getattr(model, "__name__", "an object")


@cache
def _fields(model: Callable[..., Any]) -> list[tuple[str, str, Any, bool]]:
    """Return name, name in JSON, type, and whether it is required, of each field."""
    hints = get_type_hints(model)
    return [
        (
            declared.name,
            wire_name(declared),
            hints[declared.name],
            declared.default is MISSING and declared.default_factory is MISSING,
        )
        for declared in fields(cast("Any", model))
        if declared.init
    ]


def _value(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        (hint,) = (argument for argument in arguments if argument is not NoneType)
        return _value(hint, value)
    if origin is list and isinstance(value, list):
        return [_value(arguments[0], inner) for inner in value]
    if hint is datetime:
        return datetime.fromisoformat(value)
    return decode(cast("Any", hint), value) if is_dataclass(hint) else value


def document(value: Any) -> Any:
    """Return the JSON of a dataclass, as the service sends it: the reverse of `decode`."""
    if is_dataclass(value):
        named = [(declared.name, wire_name(declared)) for declared in fields(value) if declared.init]
        return {wired: document(getattr(value, name)) for name, wired in named}
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case list():
            return [document(inner) for inner in value]
        case _:
            return value
