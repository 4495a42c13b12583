"""Build one operation of the OpenAPI document from its route and the description of its handler."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.openapi import components
from api.openapi.describe import Description, Response
from api.openapi.schemas import Schemas, Wanted
from api.route import Route
from schemas.settings import Settings

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
PARAMETER = re.compile(r"\{(\w+)\}")
BODY_ERRORS = (400, 413, 415, 422)
BULK_ERRORS = (409, 422)  # of the Idempotency-Key
PRIVATE_ERRORS = (401, 429, 500, 503)
ENDED = (200, 207)  # of a bulk request whose job has ended
MEANINGS = {
    200: "Done.",
    201: "Created.",
    204: "Done; the response has no body.",
    202: "Accepted: the job, which has not ended yet.",
    207: "The job has ended, and some items failed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PathOperation:
    """One operation of the OpenAPI document: a route, or one variant of it."""

    route: Route
    path: str
    name: str  # the operationId
    description: Description


def wanted_by(description: Description) -> Iterator[Wanted]:
    """Yield the models of which an operation needs schemas."""
    if description.query is not None:
        yield description.query, "validation"
    if description.body is not None:
        yield description.body, "validation"
    if description.items is not None:
        yield description.items.model, "validation"
    for response in _responses(description).values():
        if response.model is not None:
            yield response.model, "serialization"
        if response.events is not None:
            yield response.events, "serialization"


def operation_of(declared: PathOperation, schemas: Schemas, settings: Settings) -> dict[str, Any]:
    """Return the operation object of OpenAPI."""
    route, path, description = declared.route, declared.path, declared.description
    head, _, rest = (inspect.getdoc(route.handler) or "").partition("\n\n")
    summary = description.summary or " ".join(head.split())
    operation: dict[str, Any] = {
        "operationId": declared.name,
        "tags": [components.TAGS[_family(route)][0]],
        "summary": summary.rstrip("."),
        "parameters": [
            *_path_parameters(path),
            *_query_parameters(description, schemas),
            *_header_parameters(route, description),
        ],
        "responses": {
            **_responses_of(route, description, schemas),
            **{str(status): _error(status) for status in _errors_of(route, path, description)},
        },
    }
    if text := "\n\n".join(filter(None, (description.text, rest))):
        operation["description"] = text
    if _takes_body(description):
        operation["requestBody"] = _body(description, schemas, settings)
    if route.public:
        operation["security"] = []
    if route.needs:
        operation["security"] = [{name: [route.needs.value]} for name in components.SECURITY_SCHEMES]
    if route.operator:
        operation["security"] = [{components.OPERATOR_SCHEME: []}]
    return operation


def _family(route: Route) -> str:
    """Return the module of the handler, or its folder if that is a family: its key in TAGS."""
    *_, folder, module = route.handler.__module__.split(".")
    return folder if folder in components.TAGS else module


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in PARAMETER.findall(path):
        if name not in components.PATH_PARAMETERS:
            raise LookupError(f"{path}: describe {name} in PATH_PARAMETERS of api/openapi/components.py")
        yield {"name": name, "in": "path", "required": True, **components.PATH_PARAMETERS[name]}


def _query_parameters(description: Description, schemas: Schemas) -> Iterator[dict[str, Any]]:
    if description.query is None:
        return
    properties, required = schemas.properties(description.query)
    for name, schema in properties.items():
        if description.only is None or name in description.only:
            yield _query_parameter(name, schema, name in required or name in description.needs)
    if description.renames:
        yield components.RENAMES


def _query_parameter(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    """Return a field of a model as a query parameter, without null, which a query cannot express."""
    schema = dict(schema)
    parameter: dict[str, Any] = {"name": name, "in": "query", "required": required}
    text, examples = schema.pop("description", components.COMMON.get(name, "")), schema.pop("examples", None)
    if examples and required:
        parameter["example"] = examples[0]
    elif examples:  # not as `example`: the page would send it with every request
        text = f"{text.rstrip('.')}, like `{examples[0]}`"
    if text:
        parameter["description"] = f"{text[0].upper()}{text[1:].rstrip('.')}."
    choices = [choice for choice in schema.pop("anyOf", ()) if choice != {"type": "null"}]
    schema |= choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {}
    if not _is_written(schema.get("default"), schema.get("type")):
        schema.pop("default", None)
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}  # a,b
    return {**parameter, "schema": schema}


def _is_written(default: object, type_: object) -> bool:
    """Return whether a client could send this default: it is not null, nor the number of a cursor."""
    return default is not None and isinstance(default, str) == (type_ == "string")


def _header_parameters(route: Route, description: Description) -> Iterator[dict[str, Any]]:
    for name, header in components.REQUEST_HEADERS.items():
        if _accepts(route, description, name):
            yield {"name": name, "in": "header", "required": False, **header}


def _accepts(route: Route, description: Description, header: str) -> bool:
    match header:
        case "Last-Event-ID":
            return any(response.events for response in _responses(description).values())
        case "Prefer":
            return _makes_a_job(route, description) or description.prefers
        case "Idempotency-Key":
            return _makes_a_job(route, description)
        case _:
            return header in description.headers


def _makes_a_job(route: Route, description: Description) -> bool:
    """Return whether the response is that of one job, as of every bulk request but the retry of many jobs."""
    return route.bulk and 202 in description.responses


def _takes_body(description: Description) -> bool:
    return _takes_json(description) or bool(description.files)


def _takes_json(description: Description) -> bool:
    return description.body is not None or description.items is not None


def _body(description: Description, schemas: Schemas, settings: Settings) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if _takes_json(description):
        content[JSON] = {"schema": _json_body(description, schemas, settings)}
    if description.examples:
        content[JSON]["examples"] = {
            name.replace(" ", "-"): {"summary": name, "value": value}
            for name, value in description.examples.items()
        }
    content |= {media: components.FILES[media] for media in description.files}
    return {"required": JSON in content, "content": content}


def _json_body(description: Description, schemas: Schemas, settings: Settings) -> dict[str, Any]:
    """Return the schema of the body: the model, or the items with the other members."""
    items = description.items
    if items is None:
        return schemas.of(description.body, "validation")
    item = schemas.of(items.model, "validation")
    array = {
        "type": "array",
        "items": {"allOf": [item, {"type": "object", "required": list(items.needs)}]}
        if items.needs
        else item,
        "minItems": 1,
        "maxItems": items.most or settings.max_json_items,
    }
    beside, required = schemas.properties(description.body) if description.body is not None else ({}, [])
    return {
        "type": "object",
        "properties": {items.key: array, **beside},
        "required": [items.key, *required],
        "additionalProperties": False,
    }


def _responses(description: Description) -> Mapping[int, Response]:
    return {
        status: response if isinstance(response, Response) else Response(model=response)
        for status, response in description.responses.items()
    }


def _responses_of(route: Route, description: Description, schemas: Schemas) -> dict[str, Any]:
    responses = {}
    for status, response in _responses(description).items():
        headers = ["X-Request-Id"]
        if status == 201:
            headers.append("Location")
        if not (route.public or route.operator):
            headers += components.LIMITS
        if _makes_a_job(route, description):
            headers += ["Location", "Idempotent-Replayed"]
            headers += ["Preference-Applied", "Bulklane-Job"] if status in ENDED else []
        responses[str(status)] = {
            "description": response.text or MEANINGS[status],
            "headers": components.refer_headers(headers),
        }
        if content := _content(response, schemas):
            responses[str(status)]["content"] = content
    return responses


def _content(response: Response, schemas: Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if response.model is not None:
        content[JSON] = {"schema": schemas.of(response.model, "serialization")}
        if response.example is not None:
            content[JSON]["example"] = response.example
    if response.events is not None:
        content[EVENT_STREAM] = {"schema": _event(schemas.of(response.events, "serialization"))}
    return content | {media: {"schema": {"type": "string"}} for media in response.also}


def _event(data: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of each event of a stream."""
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "event": {"enum": ["job", "reset"]},
            "data": {"type": "string", "contentMediaType": JSON, "contentSchema": data},
        },
    }


def _errors_of(route: Route, path: str, description: Description) -> list[int]:
    errors = set(description.errors)
    if not route.public:
        errors |= set(PRIVATE_ERRORS)
    if route.needs:
        errors.add(403)
    if route.bulk:
        errors |= set(BULK_ERRORS)
    if _takes_body(description):
        errors |= set(BODY_ERRORS)
    if description.query is not None:
        errors.add(422)
    if PARAMETER.search(path):
        errors.add(404)
    return sorted(errors - set(description.responses))


def _error(status: int) -> dict[str, Any]:
    return {"$ref": f"#/components/responses/{components.ERRORS[status][0]}"}
