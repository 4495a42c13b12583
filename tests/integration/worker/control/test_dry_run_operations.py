"""For every operation: a dry run changes nothing, and reports the same as the real run after it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from schemas.operations import BULK_OPERATIONS, OPERATIONS, JobParams, Operation
from storage.context import Context
from storage.entities.accounts import Account
from storage.pipeline import results
from tests.factories import (
    contact,
    make_account,
    make_audience,
    make_channel,
    make_contacts,
    make_job,
    make_label,
    make_list,
    make_property,
    make_team,
    phone,
)
from tests.integration.worker.dry_runs import dry_run_all, dump, report_of
from tests.workers import counts_of, drain, job_of, results_of

KNOWN, ALL = 20, 35  # existing contacts, and phones that items use
UPSERTS = {
    Operation.CONTACTS_UPSERT, Operation.LISTS_ADD, Operation.LISTS_REMOVE, Operation.LISTS_OVERWRITE,
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """An account with one resource of every kind, and the ids of its contacts by number."""

    account: Account
    ids: list[int]
    params: JobParams


async def make_world(ctx: Context) -> World:
    """Create the account; half of its contacts have the label and are in the list and the audience."""
    account = await make_account(ctx)
    ours, theirs = await make_team(ctx, account.id), await make_team(ctx, account.id)
    ids = await make_contacts(ctx, account.id, range(KNOWN), name="Name 1")
    await make_property(ctx, account.id, "tier", "enum", ["gold", "iron"])
    channels = [await make_channel(ctx, account.id) for _ in range(2)]
    params = JobParams(
        region="US",
        list_id=await make_list(ctx, account.id),
        label_id=await make_label(ctx, account.id, ours),
        audience_id=await make_audience(ctx, account.id),
        preference="mute_all",
        default_preference="allow_all",
        channels=tuple(channels),
    )
    await ctx.pool.execute(
        """UPDATE contacts SET external_id = 'e' || id,
               team_id = CASE id % 3 WHEN 0 THEN $1::bigint WHEN 1 THEN $2::bigint END,
               communication_preference = CASE WHEN id % 4 = 0 THEN 'mute_all' END""",
        ours, theirs,
    )  # fmt: skip
    for kind, owner in {
        "list": params.list_id,
        "label": params.label_id,
        "audience": params.audience_id,
    }.items():
        await ctx.pool.execute(
            """INSERT INTO memberships (account_id, kind, owner_id, contact_id)
               SELECT account_id, $1, $2, id FROM contacts WHERE id % 2 = 0""",
            kind, owner,
        )  # fmt: skip
    await ctx.pool.execute(
        """INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact)
           SELECT account_id, id, $1, false, true FROM contacts WHERE id % 5 = 0""",
        channels[0],
    )
    return World(account, ids, params)


def upsert_item(rng: random.Random, world: World) -> Any:
    """Return an item for a new contact or an existing one, or a bad item."""
    number = rng.randrange(ALL)
    return rng.choice(
        [
            contact(number),
            contact(number, name=f"Name {rng.randrange(3)}"),
            contact(number, metadata={rng.choice("ab"): rng.randrange(2)}, email=None),
            contact(number, properties={"tier": rng.choice(["gold", "iron", "wood"])}),
            contact(number + 100, name="\0"),
            {"phone": "12", "ref": "mine"},
            b"{",
        ]
    )


def moving_item(rng: random.Random, world: World) -> Any:
    """Return an item with the phone of one contact and the external id of another."""
    number = rng.randrange(ALL)
    owner = rng.choice([*world.ids, 10_000 + number])
    return rng.choice([contact(number), contact(number, external_id=f"e{owner}"), upsert_item(rng, world)])


def reference_item(rng: random.Random, world: World) -> Any:
    """Return a reference to a contact, to one that does not exist, or an invalid one."""
    number = rng.randrange(ALL)
    contact_id = world.ids[number] if number < KNOWN else 10_000 + number
    return rng.choice(
        [
            {"id": contact_id},
            {"phone": phone(number)},
            {"external_id": f"e{contact_id}"},
            {"ref": "mine"},
            b"[]",
        ]
    )


Make = Callable[[random.Random, World], Any]
CASES: dict[str, tuple[Operation, Make, int]] = {
    operation.value: (
        operation,
        upsert_item if operation in UPSERTS else reference_item,
        1 if OPERATIONS[operation].in_order else 4,
    )
    for operation in BULK_OPERATIONS
}
for _operation in (Operation.CONTACTS_UPSERT, Operation.LISTS_OVERWRITE):
    CASES[f"{_operation.value}, moving phones"] = (_operation, moving_item, 1)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("case", CASES)
async def test_a_dry_run_changes_nothing_and_reports_the_same_as_the_real_run(
    ctx: Context, crew: list[Context], case: str, seed: int
) -> None:
    rng = random.Random(seed)
    operation, make, parallel = CASES[case]
    world = await make_world(ctx)
    items = [make(rng, world) for _ in range(60)]
    before = await dump(ctx)

    async def run(*, dry_run: bool) -> Any:
        return await make_job(
            ctx, world.account.id, items,
            operation=operation, params=world.params, parallel=parallel, chunk_items=7, dry_run=dry_run,
        )  # fmt: skip

    dry = await run(dry_run=True)
    assert await dry_run_all(ctx) == 1
    assert await dump(ctx) == before
    real = await run(dry_run=False)
    await drain(*crew)
    assert await dump(ctx) != before
    assert await report_of(ctx, world.account.id, dry) == await report_of(ctx, world.account.id, real)
    known = [
        result.contact_id if result.contact_id in world.ids else None
        for result in await results_of(ctx, world.account.id, real)
    ]
    assert [result.contact_id for result in await results_of(ctx, world.account.id, dry)] == known
    assert (await job_of(ctx, world.account.id, dry)).total == 60


async def test_a_dry_run_does_not_sort_results_by_contact_if_no_contact_is_named_twice(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(*arguments: Any) -> None:
        pytest.fail("a sort of all results, although no contact is named twice")

    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(9))
    items = [contact(n, name="changed") for n in range(9)]
    job_id = await make_job(ctx, account.id, items, chunk_items=3, dry_run=True)
    monkeypatch.setattr(results, "merge_repeated", forbid)
    assert await dry_run_all(ctx) == 1
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"updated": 9}
