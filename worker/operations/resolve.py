"""Which contact each item means, and what all items together do to it: pure, as if one by one.

By default an item means the contact that holds its external id; else the one that holds its phone; else a
new one. A job may say that one of the two alone decides; the other is then a field of which there is but one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from schemas.item_errors import ItemCode
from schemas.items.contacts import ContactItem, merge
from schemas.items.faults import Fault
from schemas.operations import MatchOn
from storage.entities.upsert import Stored


@dataclass(slots=True)
class Target:
    """A contact as it will be: what all items that mean it set, and the indexes of those items."""

    phone: str
    item: ContactItem
    indexes: list[int]
    external_id: str | None = None
    stored: Stored | None = None

    @property
    def moved(self) -> bool:
        """Whether it is stored under another phone."""
        return self.stored is not None and self.stored.phone != self.phone


def merge_by_phone(items: Iterable[tuple[int, ContactItem]]) -> list[Target]:
    """Merge the items of each contact where none carries an external id: the phone alone decides."""
    targets: dict[str, Target] = {}
    for index, item in items:
        phone = item["phone"]
        target = targets.get(phone)
        if target is None:
            targets[phone] = Target(phone, item, [index])
        else:
            target.item = merge(target.item, item)
            target.indexes.append(index)
    return list(targets.values())


def resolve(
    items: Iterable[tuple[int, ContactItem]], stored: Iterable[Stored], match_on: MatchOn = "auto"
) -> tuple[list[Target], dict[int, Fault]]:
    """Merge the items of each contact; `stored` are the contacts that any of the items could mean."""
    by_phone: dict[str, Target] = {}
    by_external_id: dict[str, Target] = {}
    for contact in stored:
        known = Target(contact.phone, {"phone": contact.phone}, [], contact.external_id, contact)
        by_phone[contact.phone] = known
        if contact.external_id is not None:
            by_external_id[contact.external_id] = known

    faults: dict[int, Fault] = {}
    touched: dict[int, Target] = {}
    for index, item in items:
        phone, external_id = item["phone"], item.get("external_id")
        holder = by_phone.get(phone)
        owner = by_external_id.get(external_id) if external_id else None
        target = _meant(match_on, holder, owner)
        if fault := _objection(match_on, target, holder, owner, external_id):
            faults[index] = fault
            continue
        if target is None:
            target = by_phone[phone] = Target(phone, item, [])
        elif target.phone != phone:
            del by_phone[target.phone]
            target.phone = phone
            by_phone[phone] = target
        _rename(by_external_id, target, item)
        target.item = merge(target.item, item) if target.item is not item else item
        target.indexes.append(index)
        touched[id(target)] = target
    return list(touched.values()), faults


def _meant(match_on: MatchOn, holder: Target | None, owner: Target | None) -> Target | None:
    """Of the contacts that hold the item's phone and external id the one that is meant; None: a new one."""
    match match_on:
        case "auto":
            return owner or holder
        case "phone":
            return holder
        case "external_id":
            return owner
        case _:
            assert_never(match_on)


def _objection(
    match_on: MatchOn,
    target: Target | None,
    holder: Target | None,
    owner: Target | None,
    external_id: str | None,
) -> Fault | None:
    """Why the item cannot be applied to its contact, if it cannot."""
    if not external_id:
        return None
    if holder is not None and holder is not target:
        return _phone_taken(external_id, holder.phone)
    if owner is not None and owner is not target:
        return _external_id_taken(external_id)
    if match_on == "auto" and target is not None and target.external_id not in (None, external_id):
        return _mismatch(external_id, target.external_id)
    return None


def _phone_taken(external_id: str, phone: str) -> Fault:
    message = f"another contact holds this phone: the one with external_id {external_id!r} cannot take it"
    return Fault("phone", ItemCode.PHONE_TAKEN, message, phone)


def _external_id_taken(external_id: str) -> Fault:
    message = "another contact has this external_id: the one with this phone cannot take it"
    return Fault("external_id", ItemCode.CONFLICT, message, external_id)


def _mismatch(external_id: str, stored: str | None) -> Fault:
    message = f"the contact with this phone has the external_id {stored!r}: send that, or leave it out"
    return Fault("external_id", ItemCode.EXTERNAL_ID_MISMATCH, message, external_id)


def _rename(by_external_id: dict[str, Target], target: Target, item: ContactItem) -> None:
    """Follow what the item does to the external id of its contact: null takes it away."""
    if "external_id" not in item:
        return
    if target.external_id is not None:
        by_external_id.pop(target.external_id, None)
    target.external_id = item["external_id"]
    if target.external_id is not None:
        by_external_id[target.external_id] = target
