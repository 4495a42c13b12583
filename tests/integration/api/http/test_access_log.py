"""Each request has one line in the log, with what an operator searches for and no value of a contact."""

import logging
from typing import Any

import pytest

from tests.integration.api.service import Client
from tests.waiting import until


async def _requests(caplog: pytest.LogCaptureFixture, level: int) -> list[dict[str, Any]]:
    """Return the lines of requests. A line is written after the response was sent."""

    async def found() -> list[dict[str, Any]]:
        return _lines(caplog, level)

    await until(found)
    return await found()


def _lines(caplog: pytest.LogCaptureFixture, level: int) -> list[dict[str, Any]]:
    return [
        vars(record)["fields"]
        for record in caplog.records
        if record.name == "api.access" and record.levelno == level
    ]


async def test_a_request_has_one_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    response = await client.get("/v1/contacts/+14155552671")
    assert response.status == 404
    [line] = await _requests(caplog, logging.INFO)
    assert line.pop("ms") > 0
    assert line == {
        "method": "GET",
        "route": "/v1/contacts/{contact_id}",
        "status": 404,
        "request_id": response.headers["X-Request-Id"],
        "account": f"org_{client.account.id}",
    }


@pytest.mark.parametrize("path", ["/nothing", "/v1/contacts"])
async def test_a_request_without_account_or_route_has_a_line(
    client: Client, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.INFO)
    response = await client.get(path, Authorization="Bearer bl_1_wrong")
    [line] = await _requests(caplog, logging.INFO)
    assert line["status"] == response.status
    assert line["account"] is None
    assert line["route"] == (path if path == "/v1/contacts" else None)


async def test_a_probe_is_logged_only_for_debugging(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert (await client.get("/healthz")).status == 200
    assert [line["route"] for line in await _requests(caplog, logging.DEBUG)] == ["/healthz"]
    assert not _lines(caplog, logging.INFO)
