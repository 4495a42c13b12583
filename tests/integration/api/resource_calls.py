"""The six resources with their paths and fields, and the requests that their tests share."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from schemas.ids import Prefix, show_id
from storage.context import Context
from tests.integration.api.service import Client, Response
from tests.waiting import until

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'bulklane-api'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind of resource. `made`: the fields of a new one besides its id, its name and its times."""

    word: str
    path: str
    prefix: Prefix | None = None  # of its id; None: the id is a UUID or a name
    made: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)  # the fields that a POST needs besides the name
    key: str = "id"
    change: Callable[[int], dict[str, Any]] = lambda number: {"name": f"Name{number}"}
    deletes: bool = True

    def __str__(self) -> str:
        return self.word

    def new(self, number: int) -> dict[str, Any]:
        """Return the body of a POST. Names sort like the numbers."""
        return {"name": f"Name{number}", **self.body}

    @property
    def unknown(self) -> list[str]:
        """Return unknown and malformed ids."""
        common = ["x", "%00", "%FF", "-1", "a" * 300, "%D9%A1"]
        match self.prefix:
            case None if self.key == "name":
                return [*common, "absent", "a-b"]
            case None:
                return [*common, str(uuid4()), "1"]
            case prefix:
                numbers = ["0", "999", str(2**63), "9" * 40, show_id(prefix, 999)]
                return [*common, *numbers, show_id("ctc", 1), f"{prefix}_", f"{prefix}_{'Z' * 26}"]


LISTS = Resource(
    word="list",
    path="/v1/contact-lists",
    prefix="lst",
    made={"state": "active", "contact_count": 0, "archived_at": None},
    deletes=False,
)
LABELS = Resource(
    word="label",
    path="/v1/labels",
    prefix="lbl",
    made={"contact_count": 0, "colour": None, "team_id": None},
)
TEAMS = Resource(word="team", path="/v1/teams", prefix="team")
CHANNELS = Resource(word="channel", path="/v1/channels", made={"phone": None})
AUDIENCES = Resource(word="audience", path="/v1/audiences", prefix="aud", made={"contact_count": 0})
PROPERTIES = Resource(
    word="property",
    path="/v1/properties",
    made={"type": "enum", "options": ["a"]},
    body={"type": "enum", "options": ["a"]},
    key="name",
    change=lambda number: {"options": [f"option {number}"]},
)
RESOURCES = (LISTS, LABELS, TEAMS, CHANNELS, AUDIENCES, PROPERTIES)

each_resource = pytest.mark.parametrize("resource", RESOURCES, ids=str)
DELETABLE = pytest.mark.parametrize(
    "resource", [resource for resource in RESOURCES if resource.deletes], ids=str
)
NAMED = pytest.mark.parametrize(
    "resource", [resource for resource in RESOURCES if resource is not PROPERTIES], ids=str
)


async def post(client: Client, path: str, body: Any) -> Response:
    """Send a POST of JSON."""
    return await _send(client, "POST", path, body)


async def patch(client: Client, path: str, body: Any) -> Response:
    """Send a PATCH of JSON."""
    return await _send(client, "PATCH", path, body)


async def delete(client: Client, path: str) -> Response:
    """Send a DELETE."""
    return await client.call("DELETE", path)


async def make(client: Client, path: str, **fields: Any) -> Any:
    """Create a resource, and return it as the response shows it."""
    response = await post(client, path, fields)
    assert response.status == 201, response.body
    return response.json


async def names(client: Client, path: str) -> list[str]:
    """Return the names on the only page of a list."""
    page = (await client.get(path)).json
    assert page["next_cursor"] is None
    return [entry["name"] for entry in page["data"]]


def problems(response: Response) -> dict[str | None, str]:
    """Return the code of each problem by its param. The first problem is the error of the envelope."""
    assert response.status == 422, response.body
    listed = response.json.get("errors", [response.error])
    assert listed[0] == response.error
    return {problem.get("param"): problem["code"] for problem in listed}


def refusal(response: Response) -> tuple[int, str]:
    """Return the status and the code of an error response."""
    return response.status, response.error["code"]


async def _send(client: Client, method: str, path: str, body: Any) -> Response:
    headers = {"Content-Type": "application/json"}
    return await client.call(method, path, data=json.dumps(body).encode(), headers=headers)


async def until_waiting(ctx: Context, statements: int = 1) -> None:
    """Wait until the given number of statements of the api wait for a lock."""

    async def waiting() -> object:
        return await ctx.pool.fetchval(WAITING) == statements

    await until(waiting)
