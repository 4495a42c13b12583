"""Chunks applied in a random order, with random changes over REST in between, against a model."""

import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.ids import AccountId
from storage.context import Context
from tests.factories import phone
from tests.integration.worker.stepwise import LAST, change, create, delete, start
from tests.integration.worker.upserts import Item, fields_of, make_defined_account, sparse_item, stored
from tests.model.contact import ModelContact
from tests.workers import counts_of, job_of, results_of

CONTACTS = 3
APPLY, CHANGE, DELETE, CREATE = "apply", "change", "delete", "create"


@dataclass
class Life:
    """A contact from its creation to its deletion, with what was done to it.

    The rule: the items take effect in the order of their indexes. A change over REST takes effect right after
    the item with the highest index among those that were applied before it, and after earlier changes there.
    A deletion ends the life: an item that is applied later creates another contact, to which no earlier item
    belongs.
    """

    number: int
    created_with: Item
    applied: list[tuple[int, Item]] = field(default_factory=list)
    changes: list[tuple[int, Item]] = field(default_factory=list)  # each with the index after which it comes

    def change(self, fields: Item) -> None:
        """Change the contact over REST."""
        self.changes.append((max((index for index, _ in self.applied), default=-1), fields))

    def plain(self) -> dict[str, Any]:
        """Return the phone and the fields that are not empty."""
        steps = [(index, 0, item) for index, item in self.applied]
        steps += [(index, 1 + turn, fields) for turn, (index, fields) in enumerate(self.changes)]
        contact = ModelContact(phone(self.number))
        contact.set(self.created_with)
        for _, _, fields in sorted(steps, key=lambda step: step[:2]):
            contact.set(fields)
        return fields_of(contact.plain())


class LivesModel:
    """The living contacts of an account by number."""

    def __init__(self) -> None:
        self.lives: dict[int, Life] = {}

    def apply(self, index: int, number: int, item: Item) -> None:
        """Apply an item, which creates the contact if there is none."""
        self.lives.setdefault(number, Life(number, {})).applied.append((index, item))

    def plain(self) -> list[dict[str, Any]]:
        """Return all contacts, ordered by phone."""
        return [self.lives[number].plain() for number in sorted(self.lives)]


def rest_fields(rng: random.Random) -> Item:
    """Return random fields for a change over REST; a third of them are values that items set, too."""
    fields = sparse_item(rng, 1)
    del fields["phone"]
    return fields


async def play(ctx: Context, rng: random.Random, chunks: int) -> tuple[AccountId, LivesModel, list[str]]:
    """Run one job of random items and random changes in the service and in the model.

    Returns the account, the model and a log of the steps, which the message of a failure shows.
    """
    account = await make_defined_account(ctx)
    model, log = LivesModel(), []
    numbers = [rng.randrange(CONTACTS) for _ in range(chunks * 2)]
    items = [sparse_item(rng, 1) | {"phone": phone(number)} for number in numbers]
    for number in rng.sample(range(CONTACTS), rng.randrange(CONTACTS)):
        fields = rest_fields(rng)
        await create(ctx, account.id, number, **fields)
        model.lives[number] = Life(number, fields)
        log.append(f"before: {number} {fields}")
    job = await start(ctx, account.id, items, chunk_items=2)
    todo = rng.sample(range(chunks), chunks)
    while todo or rng.random() < 0.5:
        step = rng.choices([APPLY, CHANGE, DELETE, CREATE], [6 if todo else 0, 4, 1, 1])[0]
        number = rng.randrange(CONTACTS)
        if step == APPLY:
            first = 2 * todo.pop()
            await job.apply(first)
            for index in (first, first + 1):
                model.apply(index, numbers[index], items[index])
                log.append(f"apply {index}: {numbers[index]} {items[index]}")
        elif step == CREATE and number not in model.lives:
            fields = rest_fields(rng)
            await create(ctx, account.id, number, **fields)
            model.lives[number] = Life(number, fields)
            log.append(f"create {number} {fields}")
        elif number in model.lives and step == DELETE:
            await delete(ctx, account.id, number)
            del model.lives[number]
            log.append(f"delete {number}")
        elif number in model.lives:
            fields = rest_fields(rng)
            await change(ctx, account.id, number, **fields)
            model.lives[number].change(fields)
            log.append(f"change {number} {fields}")
    await job.finish()
    view, results = await job_of(ctx, account.id, job.job_id), await results_of(ctx, account.id, job.job_id)
    assert view.state == "completed"
    assert sum(counts_of(view).values()) == view.total == len(results) == len(items) + 1
    return account.id, model, log


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), chunks=st.integers(1, 6))
async def test_items_and_changes_take_effect_in_their_order(ctx: Context, seed: int, chunks: int) -> None:
    account_id, model, log = await play(ctx, random.Random(seed), chunks)
    contacts = [contact for contact in await stored(ctx, account_id) if contact["phone"] != phone(LAST)]
    assert contacts == model.plain(), "\n".join(log)
    assert await ctx.pool.fetchval("SELECT count(*) FROM contact_changes") == 0
