"""Build the OpenAPI document from the table of routes and the descriptions of the handlers."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from openapi_pydantic import OpenAPI

from api.openapi import components
from api.openapi.describe import description_of
from api.openapi.examples import MODELS
from api.openapi.operation import PathOperation, operation_of, wanted_by
from api.openapi.schemas import Schemas
from api.openapi.webhooks import MESSAGES, messages
from api.route import Route
from schemas.settings import Settings
from schemas.wire.envelope import Envelope

ABOUT = """\
Bulk changes to contacts: an immediate job id, each item applied exactly once and in order, a result per item.

A **bulk request** returns 202 with its job; with `Prefer: wait=10` it responds when the job has ended.
**Errors** have one envelope; `code` is permanent, `request_id` is in the logs.
"""

WEBHOOKS = components.TAGS["webhooks"][0]


@lru_cache(maxsize=1)
def document(routes: tuple[Route, ...], settings: Settings) -> bytes:
    """Return the document as JSON; it is built once."""
    return json.dumps(build(routes, settings), ensure_ascii=False).encode()


def build(routes: Iterable[Route], settings: Settings) -> dict[str, Any]:
    """Build the document with the limits of the settings.

    Raises LookupError for a route without a description, ValidationError for a wrong one.
    """
    declared = list(_path_operations(routes))
    wanted = [model for entry in declared for model in wanted_by(entry.description)]
    schemas = Schemas([*wanted, (Envelope, "validation"), *MESSAGES])
    paths: dict[str, dict[str, Any]] = {}
    for entry in declared:
        operation = operation_of(entry, schemas, settings)
        paths.setdefault(entry.path, {})[entry.route.method.lower()] = operation
    used = {tag for path in paths.values() for operation in path.values() for tag in operation["tags"]}
    built = {
        "openapi": "3.1.0",
        "info": {"title": "Bulklane", "version": version("bulklane"), "description": ABOUT},
        "tags": [
            {"name": name, "description": text}
            for name, text in dict(components.TAGS.values()).items()
            if name in used
        ],
        "security": [{name: []} for name in components.SECURITY_SCHEMES],
        "paths": paths,
        **({"webhooks": messages(schemas)} if WEBHOOKS in used else {}),
        "components": {
            "schemas": _with_examples(schemas.components),
            "responses": components.error_responses(schemas.of(Envelope, "validation"), settings),
            "headers": components.HEADERS,
            "securitySchemes": components.SECURITY_SCHEMES
            | (components.OPERATOR_SCHEMES if any(entry.route.operator for entry in declared) else {}),
        },
    }
    OpenAPI.model_validate(built)  # only validated: its dump would have 64.0 for 64
    return built


def _with_examples(components: dict[str, Any]) -> dict[str, Any]:
    return {
        name: schema | ({"examples": [MODELS[name]]} if name in MODELS else {})
        for name, schema in components.items()
    }


def _path_operations(routes: Iterable[Route]) -> Iterator[PathOperation]:
    names: Counter[str] = Counter()
    for route in routes:
        description = description_of(route.handler)
        if description.hidden:
            continue
        name = description.name or str(getattr(route.handler, "__name__", ""))
        names[name] += 1
        if names[name] > 1:  # a second method or path of one handler
            name = f"{name}_{route.method.lower()}"
        if not description.variants:
            yield PathOperation(route=route, path=route.path, name=name, description=description)
        for value, variant in description.variants.items():
            path = f"{route.path[: route.path.rindex('{')]}{value}"
            yield PathOperation(
                route=route, path=path, name=f"{name}_{value.replace('.', '_')}", description=variant
            )
