"""One table of the operations: what their items are, which parameters they take, in which stream they run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from schemas.items import contacts, references
from schemas.items.reader import Reader
from schemas.params import JobParams
from schemas.states import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemKind:
    """What the items of an operation are: their type, the columns of a CSV file of them, and their reader."""

    type: Any
    columns: tuple[str, ...]
    known_column: Callable[[str], str | None]
    reader: Reader


def _kind(type_: Any, columns: tuple[str, ...], known_column: Callable[[str], str | None]) -> ItemKind:
    return ItemKind(
        type=type_, columns=columns, known_column=known_column, reader=Reader(type_, known_column)
    )


CONTACT = _kind(contacts.ContactItem, contacts.FIELDS, contacts.known_column)
BY_ID = _kind(references.ById, references.NAMES, references.known_column)
BY_PHONE = _kind(references.ByPhone, references.NAMES, references.known_column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is fixed about an operation.

    `needs` is the parameter without which it means nothing, `takes` are those that it may have besides.
    `in_order`: chunks must not be applied side by side. `whole`: the window never cuts a chunk.
    """

    items: ItemKind
    needs: str | None = None
    takes: tuple[str, ...] = ()
    in_order: bool = False
    whole: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of all parameters, the one that it needs first."""
        return (*((self.needs,) if self.needs else ()), *self.takes, *ALWAYS)


ALWAYS = ("region", "parallel", "dry_run")  # parameters that every operation takes
OPT_IN = ("opt_in_to", "opt_in_to_all_channels", "override_opt_outs")

OPERATIONS: dict[Operation, Traits] = {
    Operation.CONTACTS_UPSERT: Traits(items=CONTACT, takes=("match_on",)),
    Operation.CONTACTS_DELETE: Traits(items=BY_ID, in_order=True, whole=True),
    Operation.PREFERENCES_SET: Traits(items=BY_PHONE, needs="preference"),
    Operation.LABELS_ATTACH: Traits(items=BY_ID, needs="label_id", whole=True),
    Operation.LABELS_DETACH: Traits(items=BY_ID, needs="label_id", whole=True),
    Operation.LISTS_ADD: Traits(items=CONTACT, needs="list_id", takes=("match_on", *OPT_IN)),
    Operation.LISTS_REMOVE: Traits(items=CONTACT, needs="list_id", takes=("match_on",)),
    Operation.LISTS_OVERWRITE: Traits(items=CONTACT, needs="list_id", takes=("match_on", *OPT_IN)),
    Operation.AUDIENCES_ADD: Traits(items=BY_ID, needs="audience_id"),
}


def stream_of(operation: Operation, params: JobParams) -> str:
    """The jobs of one stream change the same thing, and take effect in the order they were accepted."""
    match operation:
        case (
            Operation.CONTACTS_UPSERT
            | Operation.CONTACTS_DELETE
            | Operation.LISTS_ADD
            | Operation.LISTS_REMOVE
            | Operation.LISTS_OVERWRITE
        ):
            return "contacts"
        case Operation.PREFERENCES_SET:
            return "preferences"
        case Operation.LABELS_ATTACH | Operation.LABELS_DETACH:
            return f"label:{params.label_id}"
        case Operation.AUDIENCES_ADD:
            return f"audience:{params.audience_id}"
        case _:
            assert_never(operation)
