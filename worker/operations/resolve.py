"""Match items to contacts and merge the items of each contact, as if applied one by one. Pure.

By default an item matches the contact that has its external id; otherwise the contact that has its phone;
otherwise it creates a contact. With `match_on`, only the phone or only the external id decides; the other one
is then an ordinary field that must stay unique.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import assert_never

from schemas.item_errors import ItemCode
from schemas.items.contacts import ContactItem, merge
from schemas.items.faults import Fault
from schemas.operations import MatchOn
from storage.entities.upsert import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Contacts as they will be stored, in columns, because a job has millions of them.

    `phones`, `items` and `indexes` have an element for each contact: its phone, the items that match it,
    merged into one, and the index of the last of them. `merged` holds the index of the last item by that of
    each earlier one. `moved` holds the new phones of stored contacts, by id.
    """

    phones: Sequence[str]
    items: Sequence[ContactItem]
    indexes: Sequence[int]
    merged: Mapping[int, int] = field(default_factory=dict)
    moved: Mapping[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Target:
    """A contact while its items are matched: the merged items, and the indexes of these items."""

    phone: str
    item: ContactItem
    indexes: list[int]
    external_id: str | None = None
    stored: Stored | None = None

    @property
    def moved(self) -> bool:
        """Whether the contact is stored with another phone."""
        return self.stored is not None and self.stored.phone != self.phone


def merge_by_phone(items: Sequence[tuple[int, ContactItem]]) -> Targets:
    """Merge the items of each contact, if no item has an external id, so that only the phone decides."""
    indexes, contacts = zip(*items, strict=True) if items else ((), ())
    phones = list(map(itemgetter("phone"), contacts))
    if len(set(phones)) == len(phones):  # in most chunks
        return Targets(phones=phones, items=contacts, indexes=indexes)
    targets: dict[str, Target] = {}
    for phone, (index, item) in zip(phones, items, strict=True):
        target = targets.get(phone)
        if target is None:
            targets[phone] = Target(phone, item, [index])
        else:
            target.item = merge(target.item, item)
            target.indexes.append(index)
    return _in_columns(targets.values())


def _in_columns(targets: Collection[Target]) -> Targets:
    return Targets(
        phones=[target.phone for target in targets],
        items=[target.item for target in targets],
        indexes=[target.indexes[-1] for target in targets],
        merged={index: target.indexes[-1] for target in targets for index in target.indexes[:-1]},
        moved={target.stored.id: target.phone for target in targets if target.stored and target.moved},
    )


def resolve(
    items: Iterable[tuple[int, ContactItem]], stored: Iterable[Stored], match_on: MatchOn = "auto"
) -> tuple[Targets, dict[int, Fault]]:
    """Merge the items of each contact. `stored` are the contacts that any of the items can match.

    Returns the contacts, and the faults of the items that cannot be applied, by index.
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
    return _in_columns(touched.values()), faults


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
