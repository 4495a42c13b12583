"""Decide what the undo of a job changes in each contact, from images of the job and the present rows.

Pure.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from schemas.ids import Prefix, show_id
from schemas.item_errors import ItemCode
from schemas.items.contacts import CONTACT_FIELDS, JSON_COLUMNS, JSON_FIELDS
from schemas.items.faults import Fault
from schemas.items.undone import UndoItem
from schemas.states import Outcome
from storage.undo.job_images import CONTACT, Image
from storage.undo.restoring import Link, Links, LockedRows
from worker.undo.json_values import read_object, write_value
from worker.undo.walk import BeforeAfter, walk, walk_keys

COLUMNS = frozenset(field.name for field in CONTACT_FIELDS)
KEYED = frozenset(JSON_FIELDS)
OWNED = {"default_channel_id": "channel", "team_id": "team"}  # columns that name an owner, and its kind
PREFIXES: dict[str, Prefix] = {"list": "lst", "label": "lbl", "audience": "aud"}
UNAVAILABLE = Fault(
    None,
    ItemCode.UNDO_UNAVAILABLE,
    "what this contact had before the job is not kept, or not any more: correct the contact by hand",
    None,
)


class UndoFacts(NamedTuple):
    """What a plan is made from: images by number, the contacts that exist, and their links.

    `owners` are the lists, labels, audiences, teams and channels that exist, as far as a plan may need them.
    """

    images: Mapping[int, Image]
    locked: LockedRows
    links: Mapping[int, Links]
    owners: Collection[str]
    force: bool


@dataclass(slots=True)
class UndoPlan:
    """What an undo changes, by contact, and what it answers.

    `fields` has values by field and contact, `rows` the rows of contacts that come back. `kept` are the names
    of what stays because somebody else has changed it since.
    """

    fields: dict[str, dict[int, str | None]] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    links: dict[int, list[Link]] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    kept: dict[int, list[str]] = field(default_factory=dict)
    faults: dict[int, Fault] = field(default_factory=dict)

    def fail(self, contact_id: int, fault: Fault) -> None:
        """Let an item fail: nothing of its contact changes."""
        for of_field in self.fields.values():
            of_field.pop(contact_id, None)
        self.deleted.discard(contact_id)
        for answers in (self.rows, self.links, self.outcomes, self.kept):
            answers.pop(contact_id, None)
        self.faults[contact_id] = fault


def plan_undo(items: Iterable[UndoItem], facts: UndoFacts) -> UndoPlan:
    """Return what to change for the items."""
    plan = UndoPlan()
    for item in items:
        _Contact(item, facts).plan(plan)
    return plan


class _Contact:
    """One contact: what the job has changed in it, the newest change first, and what it is now."""

    __slots__ = (
        "_changes",
        "_facts",
        "_id",
        "_is_created",
        "_kept",
        "_position",
        "_row",
        "_times",
        "_values",
    )

    def __init__(self, item: UndoItem, facts: UndoFacts) -> None:
        self._id = item["contact"]
        self._facts = facts
        self._position = facts.locked.positions.get(self._id)
        self._is_created = item.get("created", False)
        self._row: dict[str, Any] | None = None  # of a contact that comes back
        self._kept: list[str] = []
        self._values: dict[str, str | None] = {}  # to set, by column or link
        self._times: set[datetime] = set()
        self._changes: dict[str, list[BeforeAfter]] | None = {}
        for number in reversed(item["images"]):
            image = facts.images.get(number)
            place = None if image is None else image.places.get(self._id)
            if image is None or place is None:
                self._changes = None
                return
            self._times.add(image.at)
            self._changes.setdefault(image.field, []).append(BeforeAfter(image.old[place], image.new[place]))

    def plan(self, plan: UndoPlan) -> None:
        """Add to the plan what to change in the contact."""
        changes = self._changes
        if changes is None or not (changes or self._is_created):
            plan.faults[self._id] = UNAVAILABLE
            return
        self._find_row(changes.pop(CONTACT, ()))
        if self._position is None and self._row is None:
            if not self._is_created:
                plan.kept[self._id] = [CONTACT]
            plan.outcomes[self._id] = Outcome.UNCHANGED if self._is_created else Outcome.SKIPPED
            return
        for name, of_name in changes.items():
            self._walk(name, of_name)
        if self._is_created and self._position is not None and self._may_delete():
            plan.deleted.add(self._id)
            plan.outcomes[self._id] = Outcome.UPDATED
            return
        self._add_to(plan)

    def _find_row(self, changes: Sequence[BeforeAfter]) -> None:
        """Read the row of a contact that the job has deleted, if the contact does not exist now.

        An owner that was deleted since is left out and told.
        """
        if changes and changes[0].old is None:  # the job, an undo, has put the contact back
            self._is_created = True
        elif changes and self._position is None:
            self._row = read_object(changes[0].old)
            for name, kind in OWNED.items():
                value = self._row.get(name)
                if value is not None and f"{kind}:{value}" not in self._facts.owners:
                    self._row[name] = None
                    self._kept.append(name)

    def _walk(self, name: str, changes: Sequence[BeforeAfter]) -> None:
        now = self._now(name)
        step = walk_keys if name in KEYED else walk
        force = self._facts.force and not _is_own_opt_out(name, now)
        value, kept = step(changes, now, force=force)
        if value is not None and value != now and self._is_gone(name, value):
            value, kept = now, ("",)
        if value != now:
            self._values[name] = value
        for key in kept:
            self._kept.append(f"{name}.{key}" if key else _shown(name))

    def _now(self, name: str) -> str | None:
        """Return the present value of a column or link, as text."""
        if name not in COLUMNS:
            return self._facts.links.get(self._id, {}).get(name)
        if self._position is not None:
            return self._facts.locked.fields[name][self._position]
        assert self._row is not None
        value = self._row.get(name)
        return value if value is None or isinstance(value, str) else write_value(value)

    def _is_gone(self, name: str, value: str) -> bool:
        """Return whether a value names an owner that does not exist any more."""
        if name in COLUMNS:
            return name in OWNED and f"{OWNED[name]}:{value}" not in self._facts.owners
        return name not in self._facts.owners

    def _may_delete(self) -> bool:
        """Return whether a contact that the job has created is as the job left it. If not, tell that."""
        if self._facts.force:
            return True
        locked, position = self._facts.locked, self._position
        assert position is not None
        updated_at = locked.updated_at[position]
        links = {**self._facts.links.get(self._id, {}), **self._values}
        is_as_left = updated_at == locked.created_at[position] or updated_at in self._times
        has_links = any(value is not None for name, value in links.items() if name not in COLUMNS)
        if is_as_left and not has_links and not self._kept:
            return True
        self._kept.append(CONTACT)
        return False

    def _add_to(self, plan: UndoPlan) -> None:
        for name, value in self._values.items():
            if name not in COLUMNS:
                plan.links.setdefault(self._id, []).append(Link(self._id, name, value))
            elif self._row is None:
                plan.fields.setdefault(name, {})[self._id] = value
            else:
                self._row[name] = read_object(value) if name in JSON_COLUMNS and value else value
        if self._row is not None:
            plan.rows[self._id] = self._row
            plan.outcomes[self._id] = Outcome.CREATED
        elif self._values:
            plan.outcomes[self._id] = Outcome.UPDATED
        else:
            plan.outcomes[self._id] = Outcome.SKIPPED if self._kept else Outcome.UNCHANGED
        if self._kept:
            plan.kept[self._id] = sorted(self._kept)


def _is_own_opt_out(name: str, now: str | None) -> bool:
    """Return whether the contact itself has opted out of a channel: no client may override that."""
    return name.startswith("channel:") and (now or "").startswith("out_by_contact")


def _shown(name: str) -> str:
    """Return the name of a column, or a link with its id as clients know it."""
    kind, _, number = name.partition(":")
    return f"{kind}:{show_id(PREFIXES[kind], int(number))}" if kind in PREFIXES else name
