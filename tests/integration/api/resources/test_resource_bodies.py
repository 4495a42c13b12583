"""Bodies and queries of the requests for lists, labels, teams, channels, audiences and properties."""

from typing import Any

from tests.integration.api.resource_calls import (
    PROPERTIES,
    Resource,
    each_resource,
    make,
    patch,
    post,
    problems,
    refusal,
)
from tests.integration.api.service import Client


@each_resource
async def test_all_problems_of_a_body_are_reported(client: Client, resource: Resource) -> None:
    body = {"id": 1, "a\tb": 2}
    response = await post(client, f"{resource.path}?x=1", body)
    expected = {"x": "unknown_parameter", "id": "unknown_parameter", "a\tb": "unknown_parameter"}
    needed = {"name": "missing_parameter"} | ({"type": "missing_parameter"} if resource is PROPERTIES else {})
    assert problems(response) == expected | needed
    made = await make(client, resource.path, **resource.new(1))
    response = await patch(client, f"{resource.path}/{made[resource.key]}?x=1", body)
    assert problems(response).items() >= expected.items()
    assert (await client.get(f"{resource.path}/{made[resource.key]}")).json == made


@each_resource
async def test_a_body_that_is_not_an_object_is_refused(client: Client, resource: Resource) -> None:
    made = await make(client, resource.path, **resource.new(1))
    bodies: list[Any] = [None, [], "x", 5, [{"name": "a"}], True]
    for body in bodies:
        for response in (
            await post(client, resource.path, body),
            await patch(client, f"{resource.path}/{made[resource.key]}", body),
        ):
            assert problems(response) == {None: "invalid_parameter"}


@each_resource
async def test_an_empty_change_is_refused(client: Client, resource: Resource) -> None:
    made = await make(client, resource.path, **resource.new(1))
    response = await patch(client, f"{resource.path}/{made[resource.key]}", {})
    assert set(problems(response)) <= {None, "name", "options"}
    assert (await client.get(f"{resource.path}/{made[resource.key]}")).json == made


@each_resource
async def test_a_body_that_is_not_json_is_refused(client: Client, resource: Resource) -> None:
    made = await make(client, resource.path, **resource.new(1))
    for method, path in (("POST", resource.path), ("PATCH", f"{resource.path}/{made[resource.key]}")):
        for body in (b"{", b"", rb'{"name": "\ud800"}', b'{"name": "\xff"}', b'{"name": 1e999}'):
            response = await client.call(
                method, path, data=body, headers={"Content-Type": "application/json"}
            )
            assert refusal(response) == (400, "invalid_json")
        for content_type in ("text/csv", "application/x-www-form-urlencoded"):
            response = await client.call(method, path, data=b"name=x", headers={"Content-Type": content_type})
            assert refusal(response) == (415, "unsupported_format")


@each_resource
async def test_a_route_without_query_parameters_refuses_any(client: Client, resource: Resource) -> None:
    made = await make(client, resource.path, **resource.new(1))
    path = f"{resource.path}/{made[resource.key]}"
    calls = [("GET", path), ("DELETE", path) if resource.deletes else ("POST", f"{path}/archive")]
    for method, target in calls:
        response = await client.call(method, f"{target}?force=true")
        assert problems(response) == {"force": "unknown_parameter"}
    assert (await client.get(path)).json == made
