"""The base class of operations whose items are references, which only name a contact."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from schemas.ids import read_id
from schemas.item_errors import ItemCode
from schemas.items.faults import Fault
from schemas.items.phone import Normaliser, normaliser_for
from schemas.items.phone_notation import PhoneFault
from schemas.items.reader import Run
from schemas.items.references import NAMES, Reference
from schemas.operations import JobParams
from schemas.states import Outcome
from storage.entities import references
from storage.entities.references import Lock
from storage.pipeline.results import ItemResults
from storage.postgres.pool import Conn
from worker.operations.base import Applied, BaseOperation, Indexed, JobFacts

UPDATED, UNCHANGED = Outcome.UPDATED, Outcome.UNCHANGED
# the parameters of `references.lock`, by column
PARAMETERS = {"id": "ids", "phone": "phones", "external_id": "external_ids"}
TARGET_GONE = "the {} was deleted after this job was accepted: nothing can be changed"


class ContactKey(NamedTuple):
    """The contact that an item names: the given field and value, and the column and key to look up.

    A `key` of None matches no contact.
    """

    field: str
    given: int | str
    column: str
    key: int | str | None


class Found(NamedTuple):
    """A locked contact and the indexes of the items that name it, in order."""

    contact_id: int
    team_id: int | None
    indexes: list[int]


class Finding(NamedTuple):
    """The contacts that items name, the items that name none, and the places of the contacts in the table."""

    found: list[Found]
    unknown: list[Indexed]
    places: str


class ByReference(BaseOperation):
    """An operation whose items are references. The subclass implements `apply`."""

    settles = False  # all items of a contact do the same

    def preparer(self, params: JobParams, run: Run) -> Callable[[Reference, int], ContactKey | Fault]:
        """Return a function that reads the field that names the contact. Phones are converted to E.164."""
        normalise = normaliser_for(params.region)

        def prepare(item: Reference, position: int) -> ContactKey | Fault:
            given = [name for name in NAMES if item.get(name) is not None]
            if len(given) == 1:
                return _key_of(given[0], item[given[0]], normalise)  # type: ignore[literal-required]
            return _names_fault(given)

        return prepare


async def find(conn: Conn, job: JobFacts, items: Sequence[Indexed], lock: Lock) -> Finding:
    """Lock and return the contacts that the items name, and the items that name no contact."""
    given = {named.column for _, named in items}
    keys = {parameter: _keys(items, column) for column, parameter in PARAMETERS.items() if column in given}
    locked = await references.lock(conn, job.account_id, job.job_id, lock, **keys)
    found: dict[int, Found] = {}
    for position, contact_id, team_id in zip(locked.positions, locked.ids, locked.team_ids, strict=True):
        index = items[position][0]
        if contact_id in found:
            found[contact_id].indexes.append(index)
        else:
            found[contact_id] = Found(contact_id, team_id, [index])
    unknown: list[Indexed] = []
    if len(locked.positions) < len(items):
        known = set(locked.positions)
        unknown = [item for position, item in enumerate(items) if position not in known]
    return Finding(list(found.values()), unknown, locked.places)


def results_of(found: Iterable[Found], changed: Collection[int]) -> ItemResults:
    """Give the last item of a contact the result, and merge the earlier ones into it."""
    results = ItemResults()
    for contact_id, _, indexes in found:
        *earlier, last = indexes
        results.outcomes[last] = UPDATED if contact_id in changed else UNCHANGED
        results.contact_ids[last] = contact_id
        for index in earlier:
            results.merge(index, last)
    return results


def not_found(items: Iterable[Indexed]) -> dict[int, Fault]:
    """Return the faults of items that name no contact of the account."""
    return {index: _unknown(item) for index, item in items}


def gone(items: Iterable[Indexed], noun: str) -> Applied:
    """Return a fault for all items, because their target was deleted after the job was accepted."""
    fault = Fault(None, ItemCode.TARGET_GONE, TARGET_GONE.format(noun), None)
    return Applied(faults={index: fault for index, _ in items})


def _key_of(field: str, value: int | str, normalise: Normaliser) -> ContactKey | Fault:
    match field:
        case "id":
            return _by_id(value)
        case "phone":
            phone = normalise(str(value))
            if isinstance(phone, PhoneFault):
                return Fault(field, phone.code, phone.message, value)
            return ContactKey(field, value, "phone", phone)
        case _:
            return ContactKey(field, value, "external_id", value)


def _by_id(value: int | str) -> ContactKey:
    """Return the key of an `id` field. Text that cannot be one of our ids is used as an external id.

    Clients that migrate can keep using their old ids.
    """
    number = read_id("ctc", value)
    if number is None and isinstance(value, str) and value.isprintable():
        return ContactKey("id", value, "external_id", value)
    return ContactKey("id", value, "id", number)


def _names_fault(names: Sequence[str]) -> Fault:
    if not names:
        message = "the item names no contact: give its id, phone or external_id"
        return Fault("id", ItemCode.MISSING_FIELD, message, None)
    message = f"the item names a contact by {' and by '.join(names)}: give one of them"
    return Fault(names[0], ItemCode.AMBIGUOUS_REFERENCE, message, None)


def _keys(items: Iterable[Indexed], column: str) -> list[Any]:
    return [named.key if named.column == column else None for _, named in items]


def _unknown(named: ContactKey) -> Fault:
    message = f"the account has no contact with this {named.field}: correct it or create the contact first"
    return Fault(named.field, ItemCode.CONTACT_NOT_FOUND, message, named.given)
