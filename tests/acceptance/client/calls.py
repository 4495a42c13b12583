"""Calls of everything that the client has, and the routes that they do not reach."""

import asyncio
import json
import re
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from api.openapi.build import document
from api.routes import ROUTES
from bulklane import AsyncBulklane, AsyncJob, ConflictError, InvalidRequestError, NotFoundError
from bulklane.models import Operation
from bulklane.resource_models import Audience, ContactList, Delivery, Label
from schemas.settings import Settings
from tests.receiver import Received, fine, receiving
from tests.waiting import until

SECONDS = 60
METHODS = {"get", "post", "put", "patch", "delete"}
NUMBERS = count(1)
PARTNERS = re.compile(  # the same operations are reached by /v1/bulk
    r"/api/v1/contacts/bulk_update.*|/v1/contacts/lists/\{list_id\}/contacts|/v1/\{phone_number_id\}/.*"
    r"|/v1/contacts/(bulk|bulk-delete|add-to-audience)"
)
PUBLIC = {"/openapi.json", "/llms.txt", "/docs", "/docs/", "/healthz", "/readyz"}


def name(what: str) -> str:
    """Return a name that is used once."""
    return f"{what} {next(NUMBERS)}"


async def call_all(key: str, url: str, folder: Path) -> set[tuple[str, str]]:
    """Use everything that the client has; return the methods and paths of its requests."""
    called: set[tuple[str, str]] = set()

    async def record(request: httpx2.Request) -> None:
        called.add((request.method, request.url.raw_path.decode().partition("?")[0]))

    async with (
        httpx2.AsyncClient(event_hooks={"request": [record]}) as http,
        AsyncBulklane(key=key, url=url, http=http) as client,
    ):
        assert (await client.account()).name == "demo"
        assert (await client.limits()).requests.limit == 0
        await _definitions(client)
        await _contact(client)
        await _history(client)
        await _keys(client)
        await _operations(client)
        await _many_jobs(client, folder)
        await _uploads(client)
        await _webhooks(client)
    return called


def not_called(called: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the routes of the document that were not called."""
    return {
        (method.upper(), path)
        for path, item in json.loads(document(ROUTES, Settings()))["paths"].items()
        for method in item.keys() & METHODS
        if path not in PUBLIC and not PARTNERS.fullmatch(path)
        if not any(verb == method.upper() and _fits(path, place) for verb, place in called)
    }


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


async def _definitions(client: AsyncBulklane) -> None:
    team = await client.teams.create(name("team"))
    assert (await client.teams.rename(team.id, name("team"))).name != team.name
    assert (await client.teams.get(team.id)).id in [one.id async for one in client.teams.list()]
    await client.teams.delete(team.id)
    tier = await client.properties.create("tier", "enum", options=["gold"])
    assert (await client.properties.change("tier", options=["gold", "silver"])).options != tier.options
    assert await client.properties.get("tier") == await client.properties.list().first()
    await client.properties.delete("tier")
    with pytest.raises(NotFoundError):
        await client.properties.get("tier")


async def _contact(client: AsyncBulklane) -> None:
    channel = await client.channels.create(name("channel"), phone="+12125559000")
    assert (await client.channels.change(channel.id, phone=None)).phone is None
    assert (await client.channels.get(channel.id)).id in [one.id async for one in client.channels.list()]
    fields = {"name": "Ana", "phone": "+12125559001", "external_id": "crm 1/2"}
    contact = await client.contacts.create(**fields)  # type: ignore[arg-type]  # a dict is no TypedDict
    assert await client.contacts.get("crm 1/2") == contact
    changed = await client.contacts.change(
        contact.id, external_id=None, opted_out=True, birth_date="1990-05-17"
    )
    assert (changed.external_id, changed.opted_out, changed.birth_date) == (None, True, "1990-05-17")
    assert (await client.contacts.set_opt_in(contact.id, channel.id, opted_in=True)).by == "account"
    assert [opt.channel_id async for opt in client.contacts.opt_ins(contact.id)] == [channel.id]
    for memberships in (client.contacts.labels, client.contacts.lists, client.contacts.audiences):
        assert [one async for one in memberships(contact.id)] == []
    assert [one.id async for one in client.contacts.list(search="+12125559001")] == [contact.id]
    await client.contacts.delete(contact.id)
    await client.channels.delete(channel.id)


async def _history(client: AsyncBulklane) -> None:
    """Change a contact by a job, undo that, look at the traces of both, and erase them."""
    contact = await client.contacts.create(name="Ana", phone="+12125559002")
    job = await client.jobs.submit([{"phone": contact.phone, "name": "Bea"}])
    await job.wait(SECONDS)
    (entry, *_) = [entry async for entry in client.contacts.history(contact.id)]
    assert entry.job is not None
    assert (entry.job.id, [change.new for change in entry.changes]) == (job.id, ["Bea"])
    undo = await job.undo(tags=["back"], parallel=2)
    await undo.wait(SECONDS)
    assert (undo.tags, undo.counts.updated) == (["back"], 1), undo
    with pytest.raises(InvalidRequestError, match="parallel"):
        await job.undo(parallel=0)
    done = await job.audit()
    assert [(entry.action, entry.job_id) for entry in done] == [("submitted", None), ("undone", undo.id)]
    assert [entry.by.kind for entry in done if entry.by] == ["key", "key"]
    assert (await client.contacts.data(contact.id))["contact"]["name"] == "Ana"
    erasure = await client.contacts.erase(contact.id)
    assert (await client.contacts.erasure(erasure.id)).contact_id == contact.id


async def _keys(client: AsyncBulklane) -> None:
    created = await client.keys.create(name("key"), scopes=["read"])
    assert (await client.keys.get(created.id)).name == created.name
    rotated = await client.keys.rotate(created.id, grace_seconds=0)
    assert (rotated.name, rotated.scopes) == (created.name, ["read"])
    assert (await client.keys.revoke(rotated.id)).status == "revoked"
    assert {created.id, rotated.id} <= {key.id for key in await client.keys.list()}


async def _operations(client: AsyncBulklane) -> None:
    """Run all nine operations, and look at their effects."""
    phones = [f"+1212555{number}" for number in range(9100, 9104)]

    async def run(rows: Any, operation: Operation, **parameters: Any) -> AsyncJob:
        job = await client.jobs.submit(rows, operation=operation, **parameters)
        await job.wait(SECONDS)
        assert job.ok, job
        return job

    contacts = [{"phone": phone} for phone in phones]
    made = await run(contacts, "contacts.upsert")
    ids = [result.contact_id async for result in made.results()]
    label = await client.labels.create(name("label"))
    label = await client.labels.change(label.id, colour="#1f77b4")
    await run(ids, "labels.attach", label_id=label.id)
    assert [contact.phone async for contact in client.labels.members(label.id)] == phones
    await run(ids[:1], "labels.detach", label_id=label.id)
    assert (await client.labels.get(label.id)).contact_count == 3
    await run(phones, "preferences.set", preference="mute_all")
    audience = await client.audiences.create(name("audience"))
    await run(ids, "audiences.add", audience_id=audience.id)
    assert len([one async for one in client.audiences.members(audience.id)]) == 4
    group = await client.lists.create(name("list"))
    await run(contacts, "lists.add", list_id=group.id, opt_in_to_all_channels=False)
    await run(contacts[:1], "lists.remove", list_id=group.id)
    assert [one.phone async for one in client.lists.members(group.id)] == phones[1:]
    await run(contacts[:1], "lists.overwrite", list_id=group.id)
    assert [one.phone async for one in client.lists.members(group.id)] == phones[:1]
    assert (await run(ids, "contacts.delete")).counts.updated == 4
    await _rest_of_resources(client, label, audience, group)


async def _rest_of_resources(
    client: AsyncBulklane, label: Label, audience: Audience, group: ContactList
) -> None:
    assert label.id in [one.id async for one in client.labels.list()]
    await client.labels.delete(label.id)
    assert (await client.audiences.rename(audience.id, name("audience"))).id == audience.id
    assert (await client.audiences.get(audience.id)).id in [one.id async for one in client.audiences.list()]
    await client.audiences.delete(audience.id)
    assert (await client.lists.rename(group.id, name("list"))).state == "active"
    assert (await client.lists.archive(group.id)).state == "archived"
    assert group.id in [one.id async for one in client.lists.list(archived=True)]
    assert (await client.lists.unarchive(group.id)) == await client.lists.get(group.id)


async def _uploads(client: AsyncBulklane) -> None:
    upload = await client.uploads.create([{"phone": "12"}], dry_run=True)
    assert [one.id async for one in client.uploads.list()] == [upload.id]
    again = await client.uploads.resume(upload.id, [{"phone": "12"}])
    assert (await (await again.send()).wait(SECONDS)).total == 1
    await upload.cancel()
    with pytest.raises(NotFoundError):
        await client.uploads.resume(upload.id, [])


async def _webhooks(client: AsyncBulklane) -> None:
    """Receive a test, lose one to an endpoint that is gone, and send both again."""
    async with receiving() as receiver:
        begun = datetime.now(UTC)
        other = await client.webhooks.create(receiver.url("/other"), events=["job.failed"], ordered=True)
        hook = await client.webhooks.put("hook-1", receiver.url(), description="first")
        assert [one.id async for one in client.webhooks.list()] == sorted([hook.id, other.id])
        assert await client.webhooks.put(hook.id, receiver.url()) == await client.webhooks.get(hook.id)
        secret = (await client.webhooks.secret(hook.id)).secret
        rotated = await client.webhooks.rotate_secret(hook.id)
        assert (rotated.previous_secret, other.secret[:6]) == (secret, "whsec_")
        await client.webhooks.test(hook.id)
        (received,) = await receiver.wait(1)
        for key in (secret, rotated.secret):
            assert Verifier(key).verify(received.body, received.headers)["type"] == "webhook.test"
        sent = await _ended(client, hook.id, received.id)
        assert [attempt.status for attempt in sent.attempts] == [204]
        await client.webhooks.replay(hook.id, sent.id)
        assert [one.id for one in await receiver.wait(2)] == [sent.id] * 2
        receiver.answer = gone
        lost = await client.webhooks.test(hook.id)
        assert (await _ended(client, hook.id, lost.id)).state == "failed"
        assert (await client.webhooks.get(hook.id)).off_reason == "gone"
        with pytest.raises(ConflictError):
            await client.webhooks.test(hook.id)
        receiver.answer = fine
        assert (await client.webhooks.change(hook.id, state="on")).off_reason is None
        assert [one.id async for one in client.webhooks.deliveries(hook.id, state="failed")] == [lost.id]
        assert await client.webhooks.replay_failed(hook.id, begun) == 1
        assert (await receiver.wait(3))[2].id == lost.id
        for one in (hook, other):
            await client.webhooks.delete(one.id)
        assert await client.webhooks.list().first() is None


async def gone(_: Received) -> web.StreamResponse:
    """Answer 410."""
    return web.Response(status=410)


async def _ended(client: AsyncBulklane, webhook_id: str, delivery_id: str) -> Delivery:
    found = await client.webhooks.delivery(webhook_id, delivery_id)

    async def ended() -> bool:
        nonlocal found
        found = await client.webhooks.delivery(webhook_id, delivery_id)
        return found.ended_at is not None

    await until(ended, 10)
    return found


async def _many_jobs(client: AsyncBulklane, folder: Path) -> None:
    failed = [await client.jobs.submit([{"phone": "12"}], name="many", tags=["x"]) for _ in range(3)]
    for job in failed:
        await job.wait(SECONDS)
    listing = client.jobs.list(name="man*", tag="x", state=["completed_with_errors", "failed"], limit=2)
    page = await listing.page()
    assert [job.id for job in page.data] == [failed[2].id, failed[1].id]
    assert [job.id async for job in listing] == [job.id for job in reversed(failed)]
    since = failed[1].received_at
    assert (await client.jobs.counts(name="many", since=since)).total == 2
    preview = await client.jobs.retry_matching(name="many", state="completed_with_errors")
    assert (preview.preview, preview.matched, preview.retried) == (True, 3, 0)
    done = await client.jobs.retry_matching(preview=False, expected=2, ids=[job.id for job in failed[:2]])
    assert (done.retried, done.remaining, len(done.jobs)) == (2, 0, 2)
    assert (await client.jobs.cancel_matching(since=since, name="nothing")).matched == 0
    last = failed[2]
    again = await last.retry_failed()
    await again.wait(SECONDS)
    await last.refresh()
    assert (last.children, last.first_errors[0].code) == ([again.id], "phone_too_short")
    assert last.error_summary is not None
    assert last.error_summary[0].examples[0].value == "12"
    with pytest.raises(ConflictError):
        await last.cancel()
    await last.save_results(folder / "results.ndjson", format="ndjson")
    assert [event.kind async for event in last.events()] == ["job"]
    assert [error.index async for error in last.errors()] == [0]
    async with client.jobs.events() as followed, asyncio.TaskGroup() as group:
        first = group.create_task(followed.__anext__())
        while not first.done():  # the stream begins with what happens after it was opened
            await (await client.jobs.submit([{"phone": "12"}])).wait(SECONDS)
    assert first.result().kind == "job"
