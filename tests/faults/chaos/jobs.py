"""Random jobs of all operations, whose effect depends on no timing: see `workload`."""

import random
from collections.abc import Callable
from itertools import count
from typing import Any

from schemas.operations import Operation
from tests.factories import phone
from tests.faults.model.world import Targets
from tests.model.one_by_one import UPSERTS, ModelJob

STABLE = 800
VOLATILE = range(STABLE, 1_600)
UNKNOWN = range(9_000, 9_010)  # no contact has these
FIRST_FRESH = 100_000  # contacts that one job names
SHORT_PHONE = "+14"
STOPPABLE, AGAIN = "stoppable", "again"  # tags of the jobs that are cancelled, and retried, all at once
# of their failed items, each retry fails as the job did
RETRIED = {Operation.LISTS_ADD, Operation.LISTS_REMOVE, Operation.PREFERENCES_SET, Operation.AUDIENCES_ADD}
JOB_NAMES = ["daily", "daily 2", "weekly"]
MAX_ERRORS = ["0", "2", "0.5%", "50%"]
NAMES = ["Ana", "Bo", "Cy", "Di", None]
LISTS = [Operation.LISTS_ADD, Operation.LISTS_REMOVE, Operation.LISTS_OVERWRITE]


def as_csv(references: list[dict[str, Any]]) -> bytes:
    """Return references as CSV, with a column that is no field."""
    names = ("phone", "external_id")
    rows = (",".join(reference.get(name, "") for name in names) for reference in references)
    return "\n".join([",".join((*names, "favourite colour")), *(f"{row},blue" for row in rows)]).encode()


class JobMaker:
    """Makes the jobs of one account, from its own generator of random numbers."""

    def __init__(self, rng: random.Random, targets: Targets) -> None:
        self._rng = rng
        self._targets = targets
        self._fresh = count(FIRST_FRESH)
        self._kinds: list[Callable[[], ModelJob]] = [
            *[self._upsert] * 3, *[self._effects] * 2, *[self._list] * 3, *[self._labels] * 2,
            self._delete, self._preferences, self._audience,
        ]  # fmt: skip

    def first(self) -> ModelJob:
        """Create the stable contacts."""
        items = [{"phone": phone(n), "external_id": f"e{n}", "name": f"Name {n}"} for n in range(STABLE)]
        return ModelJob(operation=Operation.CONTACTS_UPSERT, items=items)

    def next(self) -> ModelJob:
        """Make a job of any kind."""
        return self._rng.choice(self._kinds)()

    def labelled(self, job: ModelJob, *, stoppable: bool) -> dict[str, str]:
        """Return the parameters of a query that change no item. A stoppable job has no effect to count."""
        rng, tags = self._rng, ["daily" for _ in range(self._rng.randrange(2))]
        asked = {"name": rng.choice(JOB_NAMES)} if rng.random() < 0.7 else {}
        if stoppable and rng.random() < 0.2:
            asked["max_errors"] = rng.choice(MAX_ERRORS)
        if stoppable and rng.random() < 0.3:
            tags.append(STOPPABLE)
        if job.operation in RETRIED and rng.random() < 0.3:
            tags.append(AGAIN)
        return asked | ({"tags": ",".join(tags)} if tags else {})

    def late(self) -> tuple[ModelJob, str, list[int]]:
        """Make a job that names a new contact in two chunks; return its phone and its places."""
        number = phone(next(self._fresh))
        places = [self._rng.randrange(900), self._rng.randrange(1_000, 1_900)]
        items = [self._contact(range(STABLE)) for _ in range(self._rng.randint(2_200, 3_500))]
        for place in places:
            items[place] = {"phone": number, "name": f"item {place}", "email": f"p{place}@example.com"}
        return self._of(Operation.LISTS_ADD, items), number, places

    def undoable(self, operation: Operation) -> tuple[ModelJob, ModelJob]:
        """Make a job that creates contacts, and one that changes them and creates others, or deletes them."""
        numbers = [next(self._fresh) for _ in range(self._size())]
        items = [{"phone": phone(n), "name": f"Name {n}", "metadata": {"a": 1, "b": n}} for n in numbers]
        changed: list[dict[str, Any]] = [
            {"phone": item["phone"], "name": "changed", "metadata": {"a": None, "c": 2}} for item in items
        ]
        if operation is Operation.CONTACTS_DELETE:
            changed = [{"phone": item["phone"]} for item in items]
        else:
            changed += [{"phone": phone(next(self._fresh)), "name": "new"} for _ in range(len(items) // 3)]
        return self._of(Operation.CONTACTS_UPSERT, items), self._of(operation, changed)

    def _upsert(self) -> ModelJob:
        items = [self._contact(range(VOLATILE.stop)) for _ in range(self._size())]
        if self._rng.random() < 0.3:  # then one chunk is applied at a time
            items = [item | self._external_id(item) for item in items]
        return self._of(Operation.CONTACTS_UPSERT, items)

    def _effects(self) -> ModelJob:
        """Each item writes a new contact, whose nickname the test's trigger counts."""
        numbers = [next(self._fresh) for _ in range(self._size())]
        effect = f"from {numbers[0]}"
        items: list[dict[str, Any]] = [{"phone": phone(n), "nickname": effect} for n in numbers]
        return self._of(self._rng.choice([Operation.CONTACTS_UPSERT, Operation.LISTS_ADD]), items)

    def _delete(self) -> ModelJob:
        numbers = self._rng.sample(VOLATILE, self._rng.randint(10, 400))
        return self._of(Operation.CONTACTS_DELETE, [{"phone": phone(n)} for n in numbers])

    def _list(self) -> ModelJob:
        items = [self._contact(range(VOLATILE.stop)) for _ in range(self._size())]
        return self._of(self._rng.choice(LISTS), items)

    def _labels(self) -> ModelJob:
        return self._of(
            self._rng.choice([Operation.LABELS_ATTACH, Operation.LABELS_DETACH]), self._references()
        )

    def _preferences(self) -> ModelJob:
        return self._of(Operation.PREFERENCES_SET, self._references())

    def _audience(self) -> ModelJob:
        return self._of(Operation.AUDIENCES_ADD, self._references())

    def _of(self, operation: Operation, items: list[dict[str, Any]]) -> ModelJob:
        rng, targets = self._rng, self._targets
        owners: dict[str, tuple[int, ...]] = {
            "lists": targets.lists, "labels": tuple(targets.labels), "audiences": targets.audiences
        }  # fmt: skip
        return ModelJob(
            operation=operation,
            items=items,
            owner_id=rng.choice(owners.get(operation.partition(".")[0], (0,))),
            preference=rng.choice(["mute_marketing", "mute_all"]),
            channels=targets.channels,
            override_opt_outs=operation in UPSERTS and rng.random() < 0.2,
        )

    def _size(self) -> int:
        return self._rng.choice([self._rng.randint(1, 300), self._rng.randint(1_000, 5_000)])

    def _contact(self, numbers: range) -> dict[str, Any]:
        rng = self._rng
        if rng.random() < 0.003:
            return {"phone": SHORT_PHONE, "name": "bad"}
        item: dict[str, Any] = {"phone": phone(rng.choice(numbers))}
        if rng.random() < 0.7:
            item["name"] = rng.choice(NAMES)
        if rng.random() < 0.3:
            item["age"] = rng.choice([1, 2, 3, None])
        if rng.random() < 0.3:
            item["metadata"] = {rng.choice("ab"): rng.choice([1, 2, None])}
        if rng.random() < 0.2:
            item["properties"] = {"c": rng.choice(["x", "y", None])}
        return item

    def _external_id(self, item: dict[str, Any]) -> dict[str, str]:
        """Return the external id of a stable contact; sometimes that of another one, an item error."""
        number = int(item["phone"][-7:]) - 2_000_000 if item["phone"] != SHORT_PHONE else STABLE
        if number >= STABLE:
            return {}
        return {"external_id": f"e{number if self._rng.random() < 0.99 else (number + 1) % STABLE}"}

    def _references(self) -> list[dict[str, Any]]:
        numbers = [self._rng.randrange(STABLE) for _ in range(self._size())]
        references: list[dict[str, Any]] = [
            {"phone": phone(n)} if self._rng.random() < 0.5 else {"external_id": f"e{n}"} for n in numbers
        ]
        return [*references, *({"phone": phone(n)} for n in self._rng.sample(UNKNOWN, 2))]
