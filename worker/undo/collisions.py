"""Phones and external ids that another contact has taken since: the items that want them back fail. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from schemas.item_errors import ItemCode
from schemas.items.faults import Fault
from worker.undo.plan import UndoPlan

UNIQUE = {"phone": ItemCode.PHONE_TAKEN, "external_id": ItemCode.CONFLICT}
Holders = Mapping[tuple[str, str], int]  # the id of the contact that has a value, by field and value


class Wanted(NamedTuple):
    """A value that only one contact may have, and the contact that gets it back."""

    contact_id: int
    field: str
    value: str


def wanted_of(plan: UndoPlan) -> list[Wanted]:
    """Return the phones and external ids that a plan gives to contacts."""
    return list(_wanted(plan))


def fail_taken(plan: UndoPlan, wanted: list[Wanted], holders: Holders) -> None:
    """Let the items fail whose phone or external id another contact has and does not give up.

    A contact whose item fails gives nothing up, which may let others fail.
    """
    while taken := _taken(plan, wanted, holders):
        for one in taken:
            plan.fail(one.contact_id, _fault(one))
        wanted = [one for one in wanted if one.contact_id not in plan.faults]


def _wanted(plan: UndoPlan) -> Iterator[Wanted]:
    for name in UNIQUE:
        for contact_id, value in plan.fields.get(name, {}).items():
            if value is not None:
                yield Wanted(contact_id, name, value)
        for contact_id, row in plan.rows.items():
            if row.get(name) is not None:
                yield Wanted(contact_id, name, row[name])


def _taken(plan: UndoPlan, wanted: list[Wanted], holders: Holders) -> list[Wanted]:
    seen: set[tuple[str, str]] = set()
    taken = []
    for one in wanted:
        key = one.field, one.value
        holder = holders.get(key)
        is_free = (
            holder is None
            or holder == one.contact_id
            or holder in plan.deleted
            or holder in plan.fields.get(one.field, {})
        )
        if not is_free or key in seen:
            taken.append(one)
        seen.add(key)
    return taken


def _fault(one: Wanted) -> Fault:
    message = f"another contact has this {one.field} now: change or delete that one, then retry this item"
    return Fault(one.field, UNIQUE[one.field], message, one.value)
