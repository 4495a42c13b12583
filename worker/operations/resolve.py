"""Which contact each item means, and what all items together do to it: pure, as if one by one.

An item means the contact that holds its external id; else the one that holds its phone; else a new one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.contacts import ContactItem, merge
from schemas.faults import Fault
from schemas.item_errors import ItemCode
from storage.contacts import Stored


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
    items: Iterable[tuple[int, ContactItem]], stored: Iterable[Stored]
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
        target = (by_external_id.get(external_id) or holder) if external_id else holder
        if fault := _objection(target, holder, external_id):
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


def _objection(target: Target | None, holder: Target | None, external_id: str | None) -> Fault | None:
    """Why the item cannot be applied to its contact, if it cannot."""
    if not external_id or target is None:
        return None
    if target.external_id == external_id:
        if holder is None or holder is target:
            return None
        return Fault(
            "phone",
            ItemCode.PHONE_TAKEN,
            f"another contact holds this phone: the one with external_id {external_id!r} cannot take it",
            holder.phone,
        )
    if target.external_id is None:
        return None
    return Fault(
        "external_id",
        ItemCode.EXTERNAL_ID_MISMATCH,
        f"the contact with this phone has the external_id {target.external_id!r}: send that, or leave it out",
        external_id,
    )


def _rename(by_external_id: dict[str, Target], target: Target, item: ContactItem) -> None:
    """Follow what the item does to the external id of its contact: null takes it away."""
    if "external_id" not in item:
        return
    if target.external_id is not None:
        by_external_id.pop(target.external_id, None)
    target.external_id = item["external_id"]
    if target.external_id is not None:
        by_external_id[target.external_id] = target
