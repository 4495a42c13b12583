"""The OpenAPI document is valid, describes every route, and its examples fit its schemas."""

import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import jsonschema_rs
import pytest
from aiohttp import web
from openapi_pydantic import OpenAPI
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from api.openapi.build import build, document
from api.openapi.describe import Description, describe, description_of
from api.openapi.examples import MODELS
from api.route import Route
from api.routes import ROUTES
from schemas.operations import ALWAYS, BULK_OPERATIONS, OPERATIONS, Operation
from schemas.settings import Settings
from tests.integration.api.service import Client

MANY = "/v1/jobs/retry"  # makes many jobs, and responds without waiting for them
DOCUMENT: dict[str, Any] = json.loads(document(ROUTES, Settings()))
DOCUMENTED = [
    (f"{method.upper()} {path}", operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
each_operation = pytest.mark.parametrize(
    "operation", [operation for _, operation in DOCUMENTED], ids=[name for name, _ in DOCUMENTED]
)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_described_and_in_the_document(route: Route) -> None:
    description = description_of(route.handler)
    for path in _paths(route, description):
        assert (route.method.lower() in DOCUMENT["paths"].get(path, {})) != description.hidden


def test_a_route_without_a_description_is_an_error() -> None:
    async def forgotten(request: web.Request) -> web.Response:
        raise NotImplementedError

    with pytest.raises(LookupError, match=r"test_openapi\..*forgotten is not described"):
        build([*ROUTES, Route("GET", "/v1/forgotten", forgotten)], Settings())


def test_describe_returns_the_handler_itself() -> None:
    async def handler(request: web.Request) -> web.Response:
        raise NotImplementedError

    assert describe(hidden=True)(handler) is handler
    assert description_of(handler) == Description(hidden=True)


UPLOAD_HEADERS = {"Upload-Complete", "Upload-Length", "Upload-Draft-Interop-Version"}


def test_only_what_is_made_of_the_document_is_hidden() -> None:
    hidden = {
        route.path for route in ROUTES if description_of(route.handler).hidden and route.method != "OPTIONS"
    }
    assert hidden == {"/llms.txt", "/docs", "/docs/", "/docs/{asset}"}


def test_the_document_is_valid_openapi_3_1() -> None:
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []
    assert OpenAPI.model_validate(DOCUMENT).openapi == "3.1.0"


def test_every_reference_resolves() -> None:
    references = set(_references(DOCUMENT))
    assert references
    for reference in references:
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_operation_has_a_unique_id() -> None:
    ids = [operation["operationId"] for _, operation in DOCUMENTED]
    assert len(set(ids)) == len(ids)
    assert all(id_.isidentifier() for id_ in ids)


@each_operation
def test_an_operation_has_a_summary_and_one_tag(operation: dict[str, Any]) -> None:
    assert operation["summary"], "write a docstring for the handler: its first line is the summary"
    assert not operation["summary"].endswith(".")
    (tag,) = operation["tags"]
    assert tag in [known["name"] for known in DOCUMENT["tags"]]


@each_operation
def test_each_response_has_a_description_and_a_request_id(operation: dict[str, Any]) -> None:
    for response in map(_resolved, operation["responses"].values()):
        assert response["description"]
        assert "X-Request-Id" in response["headers"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_private_operation_documents_its_key_and_its_limits(route: Route) -> None:
    description = description_of(route.handler)
    for path in [] if description.hidden else _paths(route, description):
        operation = DOCUMENT["paths"][path][route.method.lower()]
        refusals = {"401", "403", "429", "500"} & set(operation["responses"])
        scoped = {"403"} if route.needs else set()
        assert refusals == (set() if route.public else {"401", "429", "500"} | scoped)
        scopes = [route.needs] if route.needs else []
        schemes = [] if route.public else DOCUMENT["components"]["securitySchemes"]
        security = operation.get("security", DOCUMENT["security"])
        assert security == [{name: scopes} for name in schemes]


def test_a_key_can_be_sent_in_four_ways() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert DOCUMENT["security"] == [{name: []} for name in schemes]
    assert [scheme.get("scheme") or scheme["name"] for scheme in schemes.values()] == [
        "bearer", "Authorization", "x-api-key", "X-WHIPPY-KEY",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.bulk and route.path != MANY], ids=lambda route: route.path
)
def test_a_bulk_operation_documents_its_headers(route: Route) -> None:
    for path in _paths(route, description_of(route.handler)):
        operation = DOCUMENT["paths"][path][route.method.lower()]
        names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
        assert names - UPLOAD_HEADERS == {"Prefer", "Idempotency-Key"}
        assert {"Location", "Idempotent-Replayed", "RateLimit"} <= set(
            operation["responses"]["202"]["headers"]
        )
        assert {"Preference-Applied", "Bulklane-Job"} <= set(operation["responses"]["207"]["headers"])
        assert {"409", "422"} <= set(operation["responses"])


@pytest.mark.parametrize("operation", BULK_OPERATIONS)
def test_the_native_route_documents_each_operation_with_its_parameters(operation: Operation) -> None:
    shown = DOCUMENT["paths"][f"/v1/bulk/{operation}"]["post"]
    queries = {param["name"]: param["required"] for param in shown["parameters"] if param["in"] == "query"}
    traits = OPERATIONS[operation]
    needed = {traits.needs} - {None}
    assert {name for name, required in queries.items() if required} == needed
    assert set(queries) == {*needed, *traits.takes, *ALWAYS, "map"}
    assert set(shown["requestBody"]["content"]) == {
        "application/json", "application/x-ndjson", "text/csv", "multipart/form-data",
    }  # fmt: skip


def test_the_document_shows_the_limits_of_the_settings() -> None:
    settings = Settings(max_json_items=7, max_json_bytes=8_000, max_upload_bytes=9_000)
    shown = build(ROUTES, settings)
    body = shown["paths"]["/v1/bulk/contacts.upsert"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["properties"]["items"]["maxItems"] == 7
    text = shown["components"]["responses"]["TooLarge"]["description"]
    assert [limit for limit in ("7 items", "8000 bytes", "9000 bytes") if limit not in text] == []


@each_operation
def test_a_parameter_has_a_schema_of_values_that_a_query_can_hold(operation: dict[str, Any]) -> None:
    for parameter in operation["parameters"]:
        assert parameter["description"]
        assert _errors(parameter["schema"], None) or parameter["name"] == "map"
        if "default" in parameter["schema"]:
            assert _errors(parameter["schema"], parameter["schema"]["default"]) == []


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_shows_its_example(name: str) -> None:
    assert DOCUMENT["components"]["schemas"][name]["examples"] == [MODELS[name]]


def test_every_example_fits_its_schema() -> None:
    examples = list(_examples())
    assert len(examples) > 20
    wrong = [(value, errors) for schema, value in examples if (errors := _errors(schema, value))]
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/v1/contacts/bulk_update_communication_preferences", ["9876543210", "Alfred Hitchcock"]),
        ("/v1/contacts/lists/{list_id}/contacts", ["add", "Contact list contacts are being updated"]),
        ("/v1/{phone_number_id}/contacts/bulk_label", ["attach", "skipped_team_mismatch"]),
        ("/v1/contacts/bulk", ["Ravi Kumar", "hi-IN"]),
        ("/v1/contacts/bulk-delete", ["contactIds", '"deleted": 3']),
        ("/v1/contacts/add-to-audience", ["audienceId"]),
        ("/v1/contacts", ["premium"]),
        ("/v1/contacts/{contact_id}", ["standard"]),
    ],
)
def test_the_examples_of_the_four_partners_are_included(path: str, words: list[str]) -> None:
    text = json.dumps([_contents(operation) for operation in DOCUMENT["paths"][path].values()])
    assert [word for word in words if word not in text] == []


async def test_the_document_is_served_without_a_key(session: aiohttp.ClientSession) -> None:
    async with session.get("/openapi.json") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.json() == DOCUMENT


async def test_language_models_find_every_endpoint_without_a_key(session: aiohttp.ClientSession) -> None:
    async with session.get("/llms.txt") as response:
        assert (response.status, response.content_type) == (200, "text/plain")
        text = await response.text()
    assert text.startswith("# Bulklane\n\n> ")
    assert "- [POST /v1/bulk/contacts.upsert](openapi.json): Create or update contacts" in text
    assert text.count("](openapi.json): ") == len(DOCUMENTED) + 1


async def test_an_error_fits_its_documented_schema(client: Client) -> None:
    envelope = {"$ref": "#/components/schemas/Envelope"}
    for path in ("/v1/jobs?limit=0", "/v1/jobs?limit=0&cursor=x", "/v1/jobs/none", "/nowhere"):
        response = await client.get(path)
        assert response.status in {404, 422}
        assert _errors(envelope, response.json) == []


def _paths(route: Route, description: Description) -> list[str]:
    """Return the paths of a route in the document: one per variant."""
    if not description.variants:
        return [route.path]
    return [route.path.replace("{operation}", variant) for variant in description.variants]


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for inner in value.values():
                yield from _references(inner)
        case list():
            for inner in value:
                yield from _references(inner)


def _resolved(value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    response: dict[str, Any] = DOCUMENT["components"]["responses"][value["$ref"].rpartition("/")[2]]
    return response


def _contents(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the media types of an operation's body and responses."""
    holders = [operation.get("requestBody", {}), *map(_resolved, operation["responses"].values())]
    return [content for holder in holders for content in holder.get("content", {}).values()]


def _examples() -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield every example with its schema."""
    for _, operation in DOCUMENTED:
        for content in _contents(operation):
            for example in content.get("examples", {}).values():
                yield content["schema"], example["value"]
            if "example" in content:
                yield content["schema"], content["example"]
        for parameter in operation["parameters"]:
            if "example" in parameter:
                yield parameter["schema"], parameter["example"]
    for schema in DOCUMENT["components"]["schemas"].values():
        for example in schema.get("examples", []):
            yield schema, example


def _errors(schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": DOCUMENT["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [error.message for error in validator.iter_errors(value)]
