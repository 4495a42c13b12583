"""A step for each call of each route, on the sessions of a growing world."""

import asyncio
from dataclasses import replace

from tests.factories import phone
from tests.integration.api.page_calls import Call
from tests.integration.api.tenant_calls import calls_of, request_of, routes
from tests.integration.api.tenant_rows import OWN, SPARE, Belongings, populate
from tests.integration.api.tenant_worlds import send
from tests.integration.api.work import work_once
from tests.integration.plans.every_step import ITEMS, NUMBERS, STEPS, Step
from tests.integration.plans.growing_world import PHONE_NUMBER_ID, Sessions
from tests.integration.plans.operator_step import operator_calls
from tests.integration.plans.webhook_step import webhook_deliveries
from tests.workers import POLL

KNOWN = """
INSERT INTO contacts AS c (account_id, phone, external_id)
SELECT $1, w.* FROM unnest($2::text[], $3::text[]) w
ON CONFLICT (account_id, phone) DO UPDATE SET external_id = excluded.external_id RETURNING id
"""
BESIDE: dict[str, Step] = {"webhooks": webhook_deliveries, "the operator": operator_calls}
# Jobs that name no channel opt contacts in to all of them, so all passes must have the same number.
FORGET_CHANNELS = "DELETE FROM channels WHERE account_id = $1 AND id <> $2"


async def prepare(at: Sessions) -> list[tuple[str, Step]]:
    """Return all steps: those of jobs, and one for each call of each route, which names new rows."""
    at.world.known[:] = [row["id"] for row in await at.ctx.pool.fetch(KNOWN, at.world.account.id, *_known())]
    await at.ctx.pool.execute(FORGET_CHANNELS, at.world.account.id, at.world.channel)
    own, spare = (_belongings(of) for of in (OWN, SPARE))
    jobs = {of.word: await populate(at.ctx, at.world.account, of) for of in (own, spare)}
    routed = {}
    # a PATCH last, because it changes what others name
    for key in sorted(routes(), key=lambda key: (key.startswith("PATCH"), key)):
        for place, call in enumerate(calls_of(key)):
            of = spare if call.deletes else own
            routed[f"{key} {place}"] = _route_step(key, call, of, of.names(jobs[of.word]))
    return list((STEPS | BESIDE | routed).items())


def _known() -> tuple[list[str], list[str]]:
    return [phone(n) for n in range(ITEMS)], [f"known {n}" for n in range(ITEMS)]


def _belongings(of: Belongings) -> Belongings:
    new = next(NUMBERS)
    return replace(
        of, number=1_000_000_000 * new + of.number, word=f"{of.word} {new}", key=f"{of.key}{new}",
        phone=phone(800_000 + new), channel_phone=phone(850_000 + new), also_in_list=None,
    )  # fmt: skip


def _route_step(key: str, call: Call, of: Belongings, names: dict[str, str]) -> Step:
    async def step(at: Sessions) -> None:
        new = 900_000 + next(NUMBERS)
        fresh = {
            "name": of.word, "new_name": f"new {new}", "new_phone": phone(new),
            "new_channel_phone": phone(new + 1_000_000), "new_external_id": f"new {new}",
            "new_property": f"new_{new}", "idempotency_key": f"key {new}", "phone_number_id": PHONE_NUMBER_ID,
        }  # fmt: skip
        sending = asyncio.create_task(send(at.client, request_of(key, call, names | fresh)))
        async with asyncio.timeout(20):
            while not sending.done():
                await work_once(at.ctx)
                await asyncio.wait({sending}, timeout=POLL)
        response = sending.result()
        gone = call.deletes and response.status == 404  # a page has deleted it before, or the API
        assert gone or response.status < 400 or response.status in call.statuses, (key, response.body)

    return step
