"""A worker connects to public addresses only, however one is written, and whatever a name resolves to."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from schemas.settings import Settings
from tests.receiver import Receiver
from worker.webhooks.poster import Poster

LOOPBACK = ["127.0.0.1", "localhost", "0x7f000001", "0x7f.1", "0.0.0.0"]
NOT_CANONICAL = ["2130706433", "0177.0.0.1", "127.1", "0"]  # the library refuses them in any case


def refusing(settings: Settings) -> Settings:
    """Return the settings of production."""
    return settings.model_copy(update={"webhook_private_addresses": "refuse"})


@pytest.fixture
async def allowed(settings: Settings) -> AsyncIterator[Poster]:
    """Return a poster that may send to every address."""
    async with Poster(settings) as poster:
        yield poster


@pytest.mark.parametrize("host", LOOPBACK)
async def test_a_spelling_of_a_loopback_address_reaches_nobody(
    settings: Settings, receiver: Receiver, allowed: Poster, host: str
) -> None:
    url = receiver.url(host=host)
    assert (await allowed.post(url, {"webhook-id": "msg"}, b"{}")).status == 204  # the endpoint is there
    receiver.received.clear()
    async with Poster(refusing(settings)) as poster:
        answer = await poster.post(url, {"webhook-id": "msg"}, b"{}")
    assert answer.status is None
    assert "the address" in (answer.error or "")
    assert receiver.received == []


@pytest.mark.parametrize("host", NOT_CANONICAL)
async def test_a_number_that_is_no_canonical_address_reaches_nobody(
    allowed: Poster, receiver: Receiver, host: str
) -> None:
    answer = await allowed.post(receiver.url(host=host), {"webhook-id": "msg"}, b"{}")
    assert "is not a canonical IPv4 address" in (answer.error or "")
    assert receiver.received == []


def resolving_to(*addresses: str) -> Any:
    """Return a look-up of names that finds these addresses, one after the other at each call."""
    answers = list(addresses)

    def look_up(_: str, port: int, **options: Any) -> list[tuple[Any, ...]]:
        return socket.getaddrinfo(answers.pop(0), port, type=options["type"])

    return look_up


async def test_a_name_that_changes_its_address_is_checked_each_time(
    settings: Settings, receiver: Receiver
) -> None:
    look_up = resolving_to("127.0.0.1", "127.0.0.2", "10.0.0.1")
    async with Poster(refusing(settings), look_up) as poster:
        for address in ("127.0.0.1", "127.0.0.2", "10.0.0.1"):
            answer = await poster.post(receiver.url(host="rebinding.example"), {}, b"{}")
            assert f"the address {address} is" in (answer.error or "")
    assert receiver.received == []


async def test_only_the_hosts_of_the_setting_are_looked_up(settings: Settings, receiver: Receiver) -> None:
    only = settings.model_copy(update={"webhook_hosts": ("CRM.example", ".sub.example")})
    async with Poster(only, resolving_to("127.0.0.1", "127.0.0.1")) as poster:
        for host in ("other.example", "sub.example", "crm.example.evil", "xcrm.example"):
            answer = await poster.post(receiver.url(host=host), {}, b"{}")
            assert f"the URL has the host {host}, which the operator" in (answer.error or "")
        assert receiver.received == []
        for host in ("crm.example", "a.sub.example"):
            assert (await poster.post(receiver.url(host=host), {"webhook-id": "msg"}, b"{}")).status == 204


async def test_a_private_address_behind_a_redirect_is_not_followed(
    settings: Settings, receiver: Receiver, allowed: Poster
) -> None:
    async def redirect(_: Any) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": receiver.url("/inside")})

    receiver.answer = redirect
    answer = await allowed.post(receiver.url("/outside"), {"webhook-id": "msg"}, b"{}")
    assert answer.status == 302
    assert not answer.delivered
    assert [attempt.path for attempt in receiver.received] == ["/outside"]


@pytest.mark.parametrize(
    "url", ["http://no-such-host.invalid/", "https://127.0.0.1:1/", "http://127.0.0.1:1/"]
)
async def test_an_endpoint_that_is_not_there_is_an_answer_without_status(allowed: Poster, url: str) -> None:
    answer = await allowed.post(url, {}, b"{}")
    assert answer.status is None
    assert answer.error
