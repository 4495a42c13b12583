"""Pages that are made from the OpenAPI document: the endpoints with their parameters, and the models."""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Any

from api.openapi.build import document
from api.routes import ROUTES
from schemas.settings import Settings

ENDPOINTS, MODELS = "reference/endpoints.md", "reference/models.md"
JSON = "application/json"
LIMITS = (
    ("minLength", "maxLength", " characters"),
    ("minimum", "maximum", ""),
    ("minItems", "maxItems", " elements"),
)
SECTION = re.compile(r"[^\w\- ]")
COMMON = {"401", "403", "422", "429", "500", "503"}  # almost every endpoint has them

Schema = dict[str, Any]


def endpoints() -> str:
    """Return the page of all endpoints, by tag."""
    parts = [
        "# Endpoints\n\nEvery endpoint with its parameters, its body and its responses, as `/openapi.json` "
        "has them. [HTTP](http.md) explains what they have in common. Almost all can also respond with 401, "
        "403, 422, 429, 500 and 503: [Errors](errors.md).\n"
    ]
    operations = [
        (operation["tags"][0], method.upper(), path, operation)
        for path, methods in _document()["paths"].items()
        for method, operation in methods.items()
    ]
    for tag, group in groupby(operations, key=lambda operation: operation[0]):
        parts.append(f"## {tag}\n")
        parts += [_endpoint(method, path, operation) for _, method, path, operation in group]
    return "\n".join(parts)


def models() -> str:
    """Return the page of all models of bodies and responses."""
    parts = [
        "# Models\n\nThe fields of every body and every response, as `/openapi.json` describes them. "
        "[Endpoints](endpoints.md) says where they are used.\n"
    ]
    for name, schema in sorted(_document()["components"]["schemas"].items()):
        parts.append(f"## {name}\n")
        if "description" in schema:
            parts.append(f"{cell(schema['description'])}\n")
        parts.append(_fields(schema) if "properties" in schema else f"{_type(schema)}.\n")
    return "\n".join(parts)


def table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def cell(text: str) -> str:
    """Return a text on one line that a table can hold."""
    return " ".join(text.split()).replace("|", "\\|")


@cache
def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document(ROUTES, Settings()))
    return found


def _endpoint(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"### {method} {path}\n", f"{cell(operation['summary'])}.\n"]
    if operation.get("description"):
        parts.append(f"{operation['description'].strip()}\n")
    if operation.get("parameters"):
        rows = (_parameter(parameter) for parameter in operation["parameters"])
        parts.append(table(("parameter", "in", "type", "meaning"), rows))
    body = operation.get("requestBody")
    if body:
        kinds = ", ".join(f"`{kind}`" for kind in body["content"])
        schema = body["content"].get(JSON, {}).get("schema")
        parts.append(f"Body: {kinds}" + (f"; as JSON: {_type(schema)}" if schema else "") + ".\n")
    rows = (
        (f"`{status}`", cell(_resolve(response).get("description", "")), _answer(_resolve(response)))
        for status, response in operation["responses"].items()
        if status not in COMMON
    )
    parts.append(table(("response", "meaning", "body"), rows))
    return "\n".join(parts)


def _parameter(parameter: Schema) -> tuple[str, ...]:
    parameter = _resolve(parameter)
    name = f"`{parameter['name']}`" + (", required" if parameter.get("required") else "")
    return name, parameter["in"], _type(parameter["schema"]), cell(parameter.get("description", ""))


def _answer(response: Schema) -> str:
    content = response.get("content", {})
    if JSON in content:
        return _type(content[JSON].get("schema", {}))
    return ", ".join(f"`{kind}`" for kind in content)


def _fields(schema: Schema) -> str:
    required = set(schema.get("required", ()))
    rows = (
        (f"`{name}`", _type(field), _meaning(field, required=name in required))
        for name, field in schema["properties"].items()
    )
    return table(("field", "type", "meaning"), rows)


def _meaning(field: Schema, *, required: bool) -> str:
    description = cell(field.get("description", ""))
    return f"Required. {description}".strip() if required else description


def _type(schema: Schema) -> str:
    """Return the type of a value in words, with links to models."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            return f"[{name}](models.md#{SECTION.sub('', name.lower())})"
        case {"anyOf": list(choices)} | {"oneOf": list(choices)}:
            words = " or ".join(dict.fromkeys(_type(choice) for choice in choices))
        case {"allOf": [only]}:
            words = _type(only)
        case {"enum": list(values)}:
            words = ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            words = f"`{value}`"
        case {"type": "array", "items": items}:
            words = f"array of {_type(items)}"
        case {"properties": {"items": items}}:
            words = f'`{{"items": […]}}` with {_type(items)}'
        case {"type": list(kinds)}:
            words = " or ".join(kinds)
        case _:
            words = schema.get("format") or schema.get("type", "any JSON")
    notes = [*_limits(schema)]
    if schema.get("default") is not None:
        notes.append(f"default `{json.dumps(schema['default'])}`")
    return f"{words} ({', '.join(notes)})" if notes else words


def _limits(schema: Schema) -> Iterator[str]:
    for least, most, unit in LIMITS:
        match schema.get(least), schema.get(most):
            case None, None:
                continue
            case low, None:
                yield f"at least {low:,}{unit}"
            case None, high:
                yield f"at most {high:,}{unit}"
            case low, high:
                yield f"{low:,} to {high:,}{unit}"


def _resolve(value: Schema) -> Schema:
    """Return what a reference names; anything else as it is."""
    for name in value.get("$ref", "").split("/")[1:]:
        value = value[name] if name in value else _document()[name]
    return value
