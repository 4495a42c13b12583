"""An account of the model: its contacts, and the changes that clients make over REST."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.model.contact import KEYED, ModelContact

# The camelCase names of single contacts; the other fields have the same name in items.
REST_NAMES = {
    "externalId": "external_id",
    "birthDate": "birth_date",
    "defaultChannelId": "default_channel_id",
}


@dataclass(slots=True)
class Surroundings:
    """What the contacts of an account refer to. `labels` maps a label to its team or None."""

    properties: dict[str, str] = field(default_factory=dict)  # name to type
    labels: dict[int, int | None] = field(default_factory=dict)
    audiences: set[int] = field(default_factory=set)
    channels: set[str] = field(default_factory=set)


class ModelAccount:
    """All contacts of an account."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self._by_phone: dict[str, ModelContact] = {}
        self._by_external_id: dict[str, ModelContact] = {}
        self._by_id: dict[int, ModelContact] = {}

    def __iter__(self) -> Iterator[ModelContact]:
        return iter(self._by_phone.values())

    def __len__(self) -> int:
        return len(self._by_phone)

    def plain(self) -> dict[str, dict[str, Any]]:
        """Return all contacts by phone, in the form of `stored.read`."""
        return {phone: contact.plain() for phone, contact in sorted(self._by_phone.items())}

    def ids(self) -> dict[str, int]:
        """Return the ids of the contacts whose id is known, by phone."""
        return {contact.phone: id_ for id_, contact in self._by_id.items()}

    def with_phone(self, phone: str) -> ModelContact | None:
        """Return the contact that has the phone."""
        return self._by_phone.get(phone)

    def with_external_id(self, external_id: str) -> ModelContact | None:
        """Return the contact that has the external id."""
        return self._by_external_id.get(external_id)

    def with_id(self, id_: int) -> ModelContact | None:
        """Return the contact that has the id, if the model knows it."""
        return self._by_id.get(id_)

    def add(self, phone: str, id_: int | None = None) -> ModelContact:
        """Add a contact without any field."""
        contact = self._by_phone[phone] = ModelContact(phone, id_)
        if id_ is not None:
            self._by_id[id_] = contact
        return contact

    def write(self, contact: ModelContact, phone: str, item: Mapping[str, Any]) -> None:
        """Give a contact a phone and the fields of an item."""
        del self._by_phone[contact.phone]
        self._by_external_id.pop(contact.external_id or "", None)
        contact.phone = phone
        contact.set(item)
        self._by_phone[phone] = contact
        if contact.external_id is not None:
            self._by_external_id[contact.external_id] = contact

    def remove(self, contact: ModelContact) -> None:
        """Delete a contact with its memberships and opt-ins."""
        del self._by_phone[contact.phone]
        self._by_external_id.pop(contact.external_id or "", None)
        self._by_id.pop(contact.id or 0, None)

    def create(self, id_: int, body: Mapping[str, Any]) -> None:
        """POST /v1/contacts, answered with 201 and this id."""
        assert self.refusal(None, body) is None
        self._change(self.add(body["phoneNumber"], id_), body)

    def patch(self, phone: str, body: Mapping[str, Any]) -> None:
        """PATCH /v1/contacts/{id}, answered with 200. `phone` is the contact's phone before."""
        contact = self._by_phone[phone]
        assert self.refusal(contact, body) is None
        self._change(contact, body)

    def refusal(self, contact: ModelContact | None, body: Mapping[str, Any]) -> str | None:
        """Return the code of the 409 that a body gets; `contact` is the one to change, None: a new one."""
        if self._taken(self._by_phone.get(body.get("phoneNumber", "")), contact):
            return "contact_exists"
        if self._taken(self._by_external_id.get(body.get("externalId") or ""), contact):
            return "external_id_exists"
        return None

    def delete(self, phone: str) -> None:
        """DELETE /v1/contacts/{id}, answered with 200."""
        self.remove(self._by_phone[phone])

    def put_opt_in(self, phone: str, channel: str, *, opted_in: bool, by_contact: bool) -> None:
        """PUT an opt-in, answered with 200. An opt-out by the contact is changed only by the contact."""
        contact = self._by_phone[phone]
        if by_contact or contact.opt_ins.get(channel) != (False, True):
            contact.opt_ins[channel] = (opted_in, by_contact)

    def delete_owner(self, kind: str, owner_id: int) -> None:
        """DELETE a label or an audience, answered with 204."""
        if kind == "label":
            del self.surroundings.labels[owner_id]
        else:
            self.surroundings.audiences.remove(owner_id)
        for contact in self:
            contact.owners.discard((kind, owner_id))

    def _taken(self, holder: ModelContact | None, contact: ModelContact | None) -> bool:
        return holder is not None and holder is not contact

    def _change(self, contact: ModelContact, body: Mapping[str, Any]) -> None:
        item = {REST_NAMES.get(name, name): value for name, value in body.items()}
        phone = item.pop("phoneNumber", contact.phone)
        contact.opted_out = item.pop("optedOut", contact.opted_out)
        contact.preference = item.pop("communicationPreference", contact.preference)
        contact.team_id = item.pop("teamId", contact.team_id)
        assert all(value is not None for name, value in item.items() if name in KEYED)
        self.write(contact, phone, item)
