"""What an upsert means, one item after the other, as plainly as it can be said: the oracle of the tests."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from schemas.ids import AccountId
from storage.context import Context
from storage.entities.accounts import Account
from tests.factories import make_account, make_property, phone

DOCUMENTS = ("metadata", "properties")
# Of each key some values, and the type they are of; null takes the key away.
PROPERTIES: dict[str, tuple[str, list[Any]]] = {
    "a": ("number", [1, 2.5, None]),
    "b": ("boolean", [True, False, None]),
    "c": ("string", ["x", "", None]),
    "d": ("date", ["2024-02-29", "1990-05-17", None]),
}
NOT_OF_AN_ITEM = "{id,account_id,created_at,updated_at,communication_preference,opted_out,team_id}"
Item = dict[str, Any]


@dataclass(eq=False)
class Contact:
    """A contact with what is set of it; two with the same fields are still two."""

    phone: str
    fields: dict[str, Any] = field(default_factory=dict)

    def set(self, item: Item) -> None:
        """Do what one item says."""
        for name, value in item.items():
            if name == "phone":
                continue
            if name in DOCUMENTS:
                document = self.fields.setdefault(name, {})
                for key, inner in value.items():
                    document[key] = inner
                    if inner is None:
                        del document[key]
            elif value is None:
                self.fields.pop(name, None)
            else:
                self.fields[name] = value

    def plain(self) -> dict[str, Any]:
        """Its phone and its fields, without empty ones."""
        return {"phone": self.phone, **{name: value for name, value in self.fields.items() if value != {}}}


class Model:
    """All contacts of an account; `apply` answers which one an item means, or the code of its error."""

    def __init__(self) -> None:
        self.contacts: list[Contact] = []

    def apply(self, item: Item) -> Contact | str:
        external_id = item.get("external_id")
        holder = self._find(lambda contact: contact.phone == item["phone"])
        owner = self._find(lambda contact: external_id and contact.fields.get("external_id") == external_id)
        if owner is not None and holder is not None and owner is not holder:
            return "phone_taken"
        meant = owner or holder
        if meant is None:
            meant = Contact(item["phone"])
            self.contacts.append(meant)
        elif external_id and meant.fields.get("external_id") not in (None, external_id):
            return "external_id_mismatch"
        meant.phone = item["phone"]
        meant.set(item)
        return meant

    def plain(self) -> list[dict[str, Any]]:
        """All contacts, by phone."""
        return sorted((contact.plain() for contact in self.contacts), key=lambda contact: contact["phone"])

    def _find(self, test: Any) -> Contact | None:
        found = [contact for contact in self.contacts if test(contact)]
        assert len(found) < 2
        return found[0] if found else None


async def stored(ctx: Context, account_id: AccountId) -> list[dict[str, Any]]:
    """All stored contacts of an account in the form of `Model.plain`."""
    rows = await ctx.pool.fetch(
        "SELECT to_jsonb(c) - $2::text::text[] FROM contacts c WHERE account_id = $1 ORDER BY phone",
        account_id,
        NOT_OF_AN_ITEM,
    )
    return [
        {name: value for name, value in json.loads(row[0]).items() if value not in (None, {})} for row in rows
    ]


async def make_defined_account(ctx: Context) -> Account:
    """An account with the properties that `sparse_item` speaks of."""
    account = await make_account(ctx)
    for name, (type_, _) in PROPERTIES.items():
        await make_property(ctx, account.id, name, type_)
    return account


def sparse_item(rng: random.Random, contacts: int) -> Item:
    """An item of one of so many contacts: most fields absent, some null, some keys of documents removed."""
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
