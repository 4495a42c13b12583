"""Match items to contacts and merge the items of each contact, as if applied one by one. Pure.

By default an item matches the contact that has its external id; otherwise the contact that has its phone;
otherwise it creates a contact. With `match_on`, only the phone or only the external id decides; the other one
is then an ordinary field that must stay unique.
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
    """A contact as it will be stored: the merged items that match it, and the indexes of these items."""

    phone: str
    item: ContactItem
    indexes: list[int]
    external_id: str | None = None
    stored: Stored | None = None

    @property
    def moved(self) -> bool:
        """Whether the contact is stored with another phone."""
        return self.stored is not None and self.stored.phone != self.phone


def merge_by_phone(items: Iterable[tuple[int, ContactItem]]) -> list[Target]:
    """Merge the items of each contact, if no item has an external id, so that only the phone decides."""
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
    """Merge the items of each contact. `stored` are the contacts that any of the items can match.

    Returns one target per contact, and the faults of the items that cannot be applied, by index.
    """
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
        target = _match(match_on, holder, owner)
        if fault := _fault_of(match_on, target, holder, owner, external_id):
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


def _match(match_on: MatchOn, holder: Target | None, owner: Target | None) -> Target | None:
    """Return the contact that the item matches, or None if it creates a new one.

    `holder` is the contact that has the item's phone, `owner` the one that has its external id.
    """
    match match_on:
        case "auto":
            return owner or holder
        case "phone":
            return holder
        case "external_id":
            return owner
        case _:
            assert_never(match_on)


def _fault_of(
    match_on: MatchOn,
    target: Target | None,
    holder: Target | None,
    owner: Target | None,
    external_id: str | None,
) -> Fault | None:
    """Return the fault of an item that cannot be applied to its contact, or None."""
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
    message = f"another contact has this phone: the contact with external_id {external_id!r} cannot take it"
    return Fault("phone", ItemCode.PHONE_TAKEN, message, phone)


def _external_id_taken(external_id: str) -> Fault:
    message = "another contact has this external_id: the contact with this phone cannot take it"
    return Fault("external_id", ItemCode.CONFLICT, message, external_id)


def _mismatch(external_id: str, stored: str | None) -> Fault:
    message = f"the contact with this phone has the external_id {stored!r}: send that one or omit the field"
    return Fault("external_id", ItemCode.EXTERNAL_ID_MISMATCH, message, external_id)


def _rename(by_external_id: dict[str, Target], target: Target, item: ContactItem) -> None:
    """Update `by_external_id` if the item changes the external id of its contact. Null removes it."""
    if "external_id" not in item:
        return
    if target.external_id is not None:
        by_external_id.pop(target.external_id, None)
    target.external_id = item["external_id"]
    if target.external_id is not None:
        by_external_id[target.external_id] = target
