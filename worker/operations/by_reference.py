"""What operations have in common whose items only name a contact."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from schemas.ids import read_id
from schemas.item_errors import ItemCode
from schemas.items.faults import Fault
from schemas.items.phone import Normaliser, PhoneFault, normaliser_for
from schemas.items.reader import Run
from schemas.items.references import NAMES, Reference
from schemas.params import JobParams
from schemas.states import Outcome
from storage.entities import references
from storage.entities.references import Lock
from storage.pipeline.chunks import Answer, Members
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts

TARGET_GONE = "the {} was deleted after this job was accepted: nothing is left to change"


class Named(NamedTuple):
    """A reference: the field that was given, its value, and what to look up in which column.

    A `key` of None is one that nothing can have.
    """

    field: str
    given: int | str
    column: str
    key: int | str | None


class Found(NamedTuple):
    """A contact, locked, and the indexes of the items that name it, in order."""

    contact_id: int
    team_id: int | None
    indexes: list[int]


class ByReference:
    """The parts of `worker.operations.OperationModule` that all of them share."""

    reapplies = False  # all items of a contact do the same

    def preparer(self, params: JobParams, run: Run) -> Callable[[Reference, int], Named | Fault]:
        """What reads the one field that names the contact; phones become E.164."""
        normalise = normaliser_for(params.region)

        def prepare(item: Reference, position: int) -> Named | Fault:
            given = [(name, item[name]) for name in NAMES if item.get(name) is not None]  # type: ignore[literal-required]
            if len(given) == 1:
                return _named(*given[0], normalise)
            return _not_one([name for name, _ in given])

        return prepare

    def merge(self, earlier: Named, later: Named) -> Named:
        """One of the two is as good as the other."""
        return later

    async def close(self, conn: Conn, job: JobFacts) -> Members:
        """There is nothing to close."""
        return Members()


async def find(
    conn: Conn, job: JobFacts, items: Sequence[Indexed], lock: Lock
) -> tuple[list[Found], list[Indexed]]:
    """Lock the contacts that the items name, and the items that name none."""
    named = await references.lock(
        conn,
        job.account_id,
        ids=_keys(items, "id"),
        phones=_keys(items, "phone"),
        external_ids=_keys(items, "external_id"),
        strength=lock,
    )
    found = [Found(one.id, one.team_id, [items[place][0] for place in one.places]) for one in named]
    known = {index for one in found for index in one.indexes}
    return found, [(index, item) for index, item in items if index not in known]


def answers_of(found: Iterable[Found], changed: Collection[int]) -> dict[int, Answer]:
    """The last item of a contact answers for it, the earlier ones are merged."""
    answers: dict[int, Answer] = {}
    for contact_id, _, (*earlier, last) in found:
        answers[last] = Answer(Outcome.UPDATED if contact_id in changed else Outcome.UNCHANGED, contact_id)
        for index in earlier:
            answers[index] = Answer(Outcome.MERGED, contact_id, last)
    return answers


def not_found(items: Iterable[Indexed]) -> dict[int, Fault]:
    """The faults of items that name no contact of the account."""
    return {index: _unknown(item) for index, item in items}


def gone(items: Iterable[Indexed], noun: str) -> Applied:
    """What becomes of items whose target was deleted after the job had been accepted."""
    fault = Fault(None, ItemCode.TARGET_GONE, TARGET_GONE.format(noun), None)
    return Applied(faults={index: fault for index, _ in items})


def _named(field: str, value: int | str, normalise: Normaliser) -> Named | Fault:
    match field:
        case "id":
            return _by_id(value)
        case "phone":
            phone = normalise(str(value))
            if isinstance(phone, PhoneFault):
                return Fault(field, phone.code, phone.message, value)
            return Named(field, value, "phone", phone)
        case _:
            return Named(field, value, "external_id", value)


def _by_id(value: int | str) -> Named:
    """By its id; or by its external id, where the text can be no id of ours.

    So whoever comes from another product goes on with the ids that he has.
    """
    number = read_id("ctc", value)
    if number is None and isinstance(value, str) and value.isprintable():
        return Named("id", value, "external_id", value)
    return Named("id", value, "id", number)


def _not_one(names: Sequence[str]) -> Fault:
    if not names:
        message = "the item names no contact: give its id, phone or external_id"
        return Fault("id", ItemCode.MISSING_FIELD, message, None)
    message = f"the item names a contact by {' and by '.join(names)}: give one of them"
    return Fault(names[0], ItemCode.AMBIGUOUS_REFERENCE, message, None)


def _keys(items: Iterable[Indexed], field: str) -> list[Any]:
    return [named.key if named.column == field else None for _, named in items]


def _unknown(named: Named) -> Fault:
    message = f"the account has no contact with this {named.field}: correct it, or create the contact first"
    return Fault(named.field, ItemCode.CONTACT_NOT_FOUND, message, named.given)
