"""A simple model of an upsert that applies items one by one. Tests compare the stored contacts with it."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from schemas.ids import AccountId
from storage.context import Context
from storage.entities.accounts import Account
from tests.factories import make_account, make_property, phone

JSON_FIELDS = ("metadata", "properties")
# For each key: its type and some values. null removes the key.
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
    """A contact and its fields. Compared by identity: contacts with equal fields are different contacts."""

    phone: str
    fields: dict[str, Any] = field(default_factory=dict)

    def set(self, item: Item) -> None:
        """Set the fields that an item sets."""
        for name, value in item.items():
            if name == "phone":
                continue
            if name in JSON_FIELDS:
                keys = self.fields.setdefault(name, {})
                for key, inner in value.items():
                    keys[key] = inner
                    if inner is None:
                        del keys[key]
            elif value is None:
                self.fields.pop(name, None)
            else:
                self.fields[name] = value

    def plain(self) -> dict[str, Any]:
        """Return the phone and the fields that are not empty."""
        return {"phone": self.phone, **{name: value for name, value in self.fields.items() if value != {}}}


class Model:
    """All contacts of an account."""

    def __init__(self) -> None:
        self.contacts: list[Contact] = []

    def apply(self, item: Item) -> Contact | str:
        """Apply an item; return the contact that it refers to, or the code of its error."""
        external_id = item.get("external_id")
        holder = self._find(lambda contact: contact.phone == item["phone"])
        owner = self._find(lambda contact: external_id and contact.fields.get("external_id") == external_id)
        if owner is not None and holder is not None and owner is not holder:
            return "phone_taken"
        contact = owner or holder
        if contact is None:
            contact = Contact(item["phone"])
            self.contacts.append(contact)
        elif external_id and contact.fields.get("external_id") not in (None, external_id):
            return "external_id_mismatch"
        contact.phone = item["phone"]
        contact.set(item)
        return contact

    def plain(self) -> list[dict[str, Any]]:
        """Return all contacts, ordered by phone."""
        return sorted((contact.plain() for contact in self.contacts), key=lambda contact: contact["phone"])

    def _find(self, test: Any) -> Contact | None:
        found = [contact for contact in self.contacts if test(contact)]
        assert len(found) < 2
        return found[0] if found else None


async def stored(ctx: Context, account_id: AccountId) -> list[dict[str, Any]]:
    """Return all stored contacts of an account in the format of `Model.plain`."""
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
