"""The fields that upserts set: the stored ones and those of the model, and random items."""

import json
import random
from typing import Any

from schemas.ids import AccountId
from schemas.operations import Operation
from storage.context import Context
from storage.entities.accounts import Account
from tests.factories import make_account, make_property, phone
from tests.model.account import ModelAccount, Surroundings
from tests.model.contact import FIELDS, KEYED, ModelContact
from tests.model.one_by_one import ModelJob, apply_item

# For each key: its type and some values. null removes the key.
PROPERTIES: dict[str, tuple[str, list[Any]]] = {
    "a": ("number", [1, 2.5, None]),
    "b": ("boolean", [True, False, None]),
    "c": ("string", ["x", "", None]),
    "d": ("date", ["2024-02-29", "1990-05-17", None]),
}
NOT_OF_AN_ITEM = "{id,account_id,created_at,updated_at,communication_preference,opted_out,team_id}"
OF_AN_ITEM = {"phone", *FIELDS, *KEYED}
UPSERT = ModelJob(operation=Operation.CONTACTS_UPSERT, items=[])
Item = dict[str, Any]


class Upserts:
    """The contacts of an account to which upserts are applied one by one."""

    def __init__(self) -> None:
        types = {name: type_ for name, (type_, _) in PROPERTIES.items()}
        self._account = ModelAccount(Surroundings(properties=types))

    def apply(self, item: Item) -> ModelContact | str:
        """Apply an item; return the contact that it refers to, or the code of its error."""
        effect = apply_item(self._account, UPSERT, item)
        return effect.contact or effect.code or ""

    def plain(self) -> list[Item]:
        """Return all contacts, ordered by phone."""
        return [fields_of(contact) for contact in self._account.plain().values()]


def fields_of(contact: Item) -> Item:
    """Return the phone and the fields of a plain contact that an item can set and that are not empty."""
    return {name: value for name, value in contact.items() if name in OF_AN_ITEM and value not in (None, {})}


async def stored(ctx: Context, account_id: AccountId) -> list[Item]:
    """Return all stored contacts of an account in the format of `Upserts.plain`, with any other column."""
    rows = await ctx.pool.fetch(
        "SELECT to_jsonb(c) - $2::text::text[] FROM contacts c WHERE account_id = $1 ORDER BY phone",
        account_id,
        NOT_OF_AN_ITEM,
    )
    return [
        {name: value for name, value in json.loads(row[0]).items() if value not in (None, {})} for row in rows
    ]


async def make_defined_account(ctx: Context) -> Account:
    """Create an account with the properties that `sparse_item` sets."""
    account = await make_account(ctx)
    for name, (type_, _) in PROPERTIES.items():
        await make_property(ctx, account.id, name, type_)
    return account


def sparse_item(rng: random.Random, contacts: int) -> Item:
    """Return a random item for one of `contacts` phones, with few fields and with some nulls."""
    item: Item = {"phone": phone(rng.randrange(contacts))}
    choices: dict[str, list[Any]] = {
        "name": ["Ana", "Bo", "Cy", None],
        "email": ["a@example.com", "b@example.com", None],
        "language": ["en", "pt-BR", None],
        "age": [0, 1, 150, None],
        "birth_date": ["1990-05-17", "--02-29", None],
        "address": [{"city": "Pune"}, {"country": "IN"}, {}, None],
        "timezone": ["Asia/Kolkata", None],
    }
    for name, values in choices.items():
        if rng.random() < 0.25:
            item[name] = rng.choice(values)
    if rng.random() < 0.5:
        values = [1, 2.5, True, "x", None, None, {"deep": [None]}, []]
        item["metadata"] = {key: rng.choice(values) for key in _some_keys(rng)}
    if rng.random() < 0.5:
        item["properties"] = {key: rng.choice(PROPERTIES[key][1]) for key in _some_keys(rng)}
    return item


def _some_keys(rng: random.Random) -> list[str]:
    return rng.sample("abcd", rng.randint(0, 3))
