"""Apply the items of a job one by one, each as if it were alone."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.operations import Operation
from tests.model.account import ModelAccount
from tests.model.contact import ModelContact

VALID_PHONE = re.compile(r"\+1415[2-9][0-9]{6}")  # the phones that the tests use
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (str,),
}
UPSERTS = frozenset(
    {Operation.CONTACTS_UPSERT, Operation.LISTS_ADD, Operation.LISTS_REMOVE, Operation.LISTS_OVERWRITE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelJob:
    """What a bulk request asks for: the operation, its items, and the parameters of its query."""

    operation: Operation
    items: list[dict[str, Any]]
    owner_id: int = 0  # the list, label or audience
    preference: str = ""
    match_on: str = "auto"
    channels: tuple[str, ...] = ()  # to opt in to
    override_opt_outs: bool = False
    dry_run: bool = False

    @property
    def upserts(self) -> bool:
        """Whether the items are contacts. The items of other operations only name one."""
        return self.operation in UPSERTS


@dataclass(frozen=True, slots=True)
class Effect:
    """What became of an item: the contact that it named and the word of its outcome, or the code why not.

    The words are those of the results, without `merged`: applied alone, no item is merged.
    """

    word: str
    contact: ModelContact | None = None
    code: str | None = None


def apply_item(account: ModelAccount, job: ModelJob, item: Mapping[str, Any]) -> Effect:
    """Apply one item of a job."""
    return APPLY[job.operation](account, job, item)


def close_overwrite(account: ModelAccount, job: ModelJob, named: set[ModelContact]) -> None:
    """Remove the contacts that no item names from the list, unless all items failed."""
    if named:
        for contact in account:
            if contact not in named:
                contact.owners.discard(("list", job.owner_id))


def _upsert(account: ModelAccount, job: ModelJob, item: Mapping[str, Any]) -> Effect:
    if code := _fault(account, job, item):
        return Effect("failed", code=code)
    phone, external_id = item["phone"], item.get("external_id")
    holder = account.with_phone(phone)
    owner = account.with_external_id(external_id) if external_id else None
    contact = {"auto": owner or holder, "phone": holder, "external_id": owner}[job.match_on]
    if external_id:
        if holder is not None and holder is not contact:
            return Effect("failed", code="phone_taken")
        if owner is not None and owner is not contact:
            return Effect("failed", code="conflict")
        if job.match_on == "auto" and contact is not None and contact.external_id not in (None, external_id):
            return Effect("failed", code="external_id_mismatch")
    if contact is None:
        contact = account.add(phone)
        account.write(contact, phone, item)
        return Effect("created", contact)
    before = contact.plain()
    account.write(contact, phone, item)
    return Effect("unchanged" if contact.plain() == before else "updated", contact)


def _fault(account: ModelAccount, job: ModelJob, item: Mapping[str, Any]) -> str | None:
    if job.match_on == "external_id" and not item.get("external_id"):
        return "missing_field"
    if not VALID_PHONE.fullmatch(item["phone"]):
        return "phone_too_short"
    for name, value in (item.get("properties") or {}).items():
        type_ = account.surroundings.properties.get(name)
        if type_ is None:
            return "unknown_property"
        if value is not None and not _fits(value, type_):
            return "property_type"
    channel = item.get("default_channel_id")
    return "unknown_channel" if channel and channel not in account.surroundings.channels else None


def _fits(value: object, type_: str) -> bool:
    return isinstance(value, TYPES[type_]) and (type_ == "boolean") == isinstance(value, bool)


def _add_to_list(account: ModelAccount, job: ModelJob, item: Mapping[str, Any]) -> Effect:
    effect = _upsert(account, job, item)
    contact = effect.contact
    if contact is None:
        return effect
    before = contact.plain()
    contact.owners.add(("list", job.owner_id))
    for channel in job.channels:
        stored = contact.opt_ins.get(channel)
        if stored is None or (not stored[0] and (job.override_opt_outs or not stored[1])):
            contact.opt_ins[channel] = (True, False)
    return _updated_if(effect, before)


def _remove_from_list(account: ModelAccount, job: ModelJob, item: Mapping[str, Any]) -> Effect:
    effect = _upsert(account, job, item)
    if effect.contact is None:
        return effect
    before = effect.contact.plain()
    effect.contact.owners.discard(("list", job.owner_id))
    return _updated_if(effect, before)


def _updated_if(effect: Effect, before: dict[str, Any]) -> Effect:
    assert effect.contact is not None
    changed = effect.word == "unchanged" and effect.contact.plain() != before
    return Effect("updated", effect.contact) if changed else effect


def _named(account: ModelAccount, item: Mapping[str, Any]) -> ModelContact | None:
    """Return the contact that a reference names."""
    ((name, value),) = item.items()
    if name == "id":
        return account.with_id(value)
    return account.with_phone(value) if name == "phone" else account.with_external_id(value)


def _delete(account: ModelAccount, job: ModelJob, item: Mapping[str, Any]) -> Effect:
    if (contact := _named(account, item)) is None:
        return Effect("failed", code="contact_not_found")
    account.remove(contact)
    return Effect("updated", contact)


def _set_preference(account: ModelAccount, job: ModelJob, item: Mapping[str, Any]) -> Effect:
    if (contact := _named(account, item)) is None:
        return Effect("failed", code="contact_not_found")
    changed = contact.preference != job.preference
    contact.preference = job.preference
    return Effect("updated" if changed else "unchanged", contact)


def _label(account: ModelAccount, job: ModelJob, item: Mapping[str, Any]) -> Effect:
    if job.owner_id not in account.surroundings.labels:
        return Effect("failed", code="target_gone")
    if (contact := _named(account, item)) is None:
        return Effect("skipped", code="skipped_cross_org")
    team = account.surroundings.labels[job.owner_id]
    if None not in (team, contact.team_id) and team != contact.team_id:
        return Effect("skipped", contact, "skipped_team_mismatch")
    return _join(contact, ("label", job.owner_id), leave=job.operation is Operation.LABELS_DETACH)


def _add_to_audience(account: ModelAccount, job: ModelJob, item: Mapping[str, Any]) -> Effect:
    if job.owner_id not in account.surroundings.audiences:
        return Effect("failed", code="target_gone")
    if (contact := _named(account, item)) is None:
        return Effect("failed", code="contact_not_found")
    return _join(contact, ("audience", job.owner_id), leave=False)


def _join(contact: ModelContact, owner: tuple[str, int], *, leave: bool) -> Effect:
    changed = (owner in contact.owners) == leave
    (contact.owners.discard if leave else contact.owners.add)(owner)
    return Effect("updated" if changed else "unchanged", contact)


APPLY: dict[Operation, Callable[[ModelAccount, ModelJob, Mapping[str, Any]], Effect]] = {
    Operation.CONTACTS_UPSERT: _upsert,
    Operation.CONTACTS_DELETE: _delete,
    Operation.PREFERENCES_SET: _set_preference,
    Operation.LABELS_ATTACH: _label,
    Operation.LABELS_DETACH: _label,
    Operation.LISTS_ADD: _add_to_list,
    Operation.LISTS_REMOVE: _remove_from_list,
    Operation.LISTS_OVERWRITE: _add_to_list,
    Operation.AUDIENCES_ADD: _add_to_audience,
}
