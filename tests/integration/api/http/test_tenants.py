"""No request of one account shows or changes a row of another account. All routes are called.

Each response is compared with the response in a world where the other account does not exist. There, every
id of the other account is unknown, and none of its data can be shown.
"""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import product
from typing import NamedTuple
from uuid import UUID

import asyncpg
import pytest

from schemas.ids import JobId
from schemas.settings import Settings
from storage.context import Context
from tests.factories import phone
from tests.integration.api.page_calls import Call, Names
from tests.integration.api.tenant_calls import CALLS, NAMED_IN_PATH, calls_of, in_path, request_of, routes
from tests.integration.api.tenant_rows import OWN, SPARE, THEIRS, tables_of
from tests.integration.api.tenant_worlds import World, open_world, send, without_run_values

PRIVATE = sorted(routes())
PARTS = {
    "get": [key for key in PRIVATE if key.startswith("GET")],
    "change": [key for key in PRIVATE if not key.startswith("GET") and not routes()[key].bulk],
    "bulk, partners": [key for key in PRIVATE if routes()[key].bulk and "/bulk/" not in key],
    "bulk, native": [key for key in PRIVATE if routes()[key].bulk and "/bulk/" in key],
}

# Values that a request sets or searches for. `_theirs` has values of the other account for the same keys.
FRESH = {
    "name": "Own",
    "new_name": "A new name",
    "new_phone": phone(21),
    "new_channel_phone": phone(22),
    "new_external_id": "new-1",
    "new_property": "new_key",
    "idempotency_key": "",
}


class Worlds(NamedTuple):
    """Two worlds that differ only in the other account."""

    crowded: World
    alone: World
    theirs: tuple[Names, Names]  # names of the other account's rows: ids with a prefix, and numbers

    @property
    def both(self) -> tuple[World, World]:
        """Both worlds, the crowded one first."""
        return self.crowded, self.alone

    @property
    def known(self) -> frozenset[str]:
        """The ids that are equal in both worlds."""
        own = [belongings.names(JobId(UUID(int=0))) for belongings in (OWN, SPARE)]
        return frozenset(value for names in (*own, *self.theirs) for value in names.values())


@pytest.fixture
async def worlds(settings: Settings, template: str) -> AsyncIterator[Worlds]:
    """Open both worlds: two databases, each with an api and a worker."""
    assert settings.database_url is not None
    conn = await asyncpg.connect(settings.database_url)
    name = await conn.fetchval("SELECT current_database()")
    await conn.execute(f"CREATE DATABASE {name}_alone TEMPLATE {template} STRATEGY file_copy")
    url = settings.database_url.replace(f"/{name}?", f"/{name}_alone?")
    try:
        async with (
            # alone first, so that in both worlds the account's own jobs are older than the other account's
            open_world(settings.model_copy(update={"database_url": url}), crowded=False) as alone,
            open_world(settings, crowded=True) as crowded,
        ):
            yield Worlds(crowded, alone, _theirs(crowded))
    finally:
        await conn.execute(f"DROP DATABASE {name}_alone WITH (FORCE)")
        await conn.close()


@pytest.mark.parametrize("key", PRIVATE)
def test_every_private_route_is_in_the_table_of_calls(key: str) -> None:
    unknown = set(re.findall(r"{(\w+)}", key)) - set(NAMED_IN_PATH)
    assert not unknown, f"add to NAMED_IN_PATH in tenant_calls.py what {unknown} of {key} names"
    assert calls_of(key), f"add to CALLS in tenant_calls.py how {key} is called, with all ids that it takes"


def test_every_call_belongs_to_a_route() -> None:
    assert set(CALLS) <= set(PRIVATE)


async def test_every_table_has_an_account(ctx: Context) -> None:
    tables = await ctx.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    others = {row["tablename"] for row in tables} - set(await tables_of(ctx.pool))
    assert others == {"accounts", "rounds", "schema_version", "server_secrets", "workers"}


@pytest.mark.parametrize("part", PARTS)
async def test_responses_do_not_depend_on_another_account(worlds: Worlds, part: str) -> None:
    problems = [
        f"{key} with {what}: {problem}"
        for key in PARTS[part]
        for call in calls_of(key)
        for what, change in _changes(worlds, key, call)
        for problem in await _problems(worlds, key, call, what, change)
    ]
    assert not problems, "\n\n".join(problems)


async def test_a_malformed_id_gets_the_response_of_an_unknown_one(worlds: Worlds) -> None:
    world = worlds.alone  # where the ids of the other account are unknown
    for key in PRIVATE:
        for call, kind in product(calls_of(key)[:1], in_path(key)):
            if call.creates:
                continue
            responses = []
            for id_ in ("nonsense", *(names[kind] for names in worlds.theirs)):
                request = request_of(key, call, _own(world, call) | {kind: id_})
                response = await send(world.asking.client, request)
                text = without_run_values(response.body.decode().replace(id_, "<id>"), frozenset())
                responses.append((response.status, text))
            assert len(set(responses)) == 1, f"{key}: {responses}"


async def test_the_owner_of_the_ids_gets_its_rows(worlds: Worlds) -> None:
    """Without this, a refusal to another account would prove nothing."""
    assert worlds.crowded.other is not None
    for key in PARTS["get"]:
        for call, names in product(calls_of(key), worlds.theirs):
            response = await send(worlds.crowded.other.client, request_of(key, call, names))
            assert response.status == 200, f"{key}: {response.body!r}"


def _theirs(crowded: World) -> tuple[Names, Names]:
    other = crowded.other
    assert other is not None
    taken = {
        "name": THEIRS.word,
        "new_name": THEIRS.word,
        "new_phone": THEIRS.phone,
        "new_channel_phone": THEIRS.channel_phone,
        "new_external_id": f"{THEIRS.word}-1",
        "new_property": f"{THEIRS.word}_key",
        "idempotency_key": f"of {other.client.account.id}",
    }
    return other.names(THEIRS) | taken, other.names(THEIRS, plain=True) | taken


def _own(world: World, call: Call) -> dict[str, str]:
    return world.asking.names(SPARE if call.deletes else OWN) | FRESH


def _changes(worlds: Worlds, key: str, call: Call) -> Iterator[tuple[str, Names]]:
    """Yield which of the account's own names are replaced by the other account's: each one, all, none."""
    own = _own(worlds.crowded, call)
    seen = [request_of(key, call, own)]
    for kind, theirs in product(own, worlds.theirs):
        request = request_of(key, call, {**own, kind: theirs[kind]})
        if request not in seen:
            seen.append(request)
            yield kind, {kind: theirs[kind]}
    if len(seen) > 1:
        yield "all", worlds.theirs[0]
    yield "own", {}


async def _problems(worlds: Worlds, key: str, call: Call, what: str, change: Names) -> Iterable[str]:
    """Send a request in both worlds, and compare the responses and the rows afterwards."""
    observed, rows = [], []
    assert worlds.crowded.other is not None
    for world in worlds.both:
        request = request_of(key, call, {**_own(world, call), **change})
        observed.append(await world.observe(request, worlds.known))
        texts = await world.asking.rows.put_back()
        rows.append(sorted(without_run_values(text, worlds.known, alike=True) for text in texts))
    crowded, alone = observed
    before, after = await worlds.crowded.other.rows.compare_versions()
    return [
        *_diff("the response", alone.text.splitlines(), crowded.text.splitlines()),
        *_diff("the account's own rows", rows[1], rows[0]),
        *_diff("ROWS OF ANOTHER ACCOUNT", sorted(before), sorted(after)),
        *([] if _expected(key, call, what, crowded.status) else [f"unexpected response: {crowded.text}"]),
    ]


def _diff(what: str, alone: Iterable[object], crowded: Iterable[object]) -> Iterator[str]:
    without, with_ = list(alone), list(crowded)
    if without != with_:
        lost = [str(line) for line in without if line not in with_]
        more = [str(line) for line in with_ if line not in without]
        yield f"{what} differs:\n- " + "\n- ".join(lost) + "\n+ " + "\n+ ".join(more)


def _expected(key: str, call: Call, what: str, status: int) -> bool:
    """Return whether a status is expected. Requests with only own names must succeed."""
    if what == "own":
        return status in call.statuses
    return status == (201 if call.creates else 404) if what in in_path(key) else status < 500
