"""The table of operations: which object carries out which operation."""

from typing import assert_never

from schemas.states import Operation
from worker.operations import labels, lists
from worker.operations.audiences_add import AUDIENCES_ADD
from worker.operations.base import OperationModule
from worker.operations.contacts_delete import CONTACTS_DELETE
from worker.operations.contacts_upsert import CONTACTS_UPSERT
from worker.operations.preferences_set import PREFERENCES_SET


def operation_of(name: str) -> OperationModule:
    """The module of an operation."""
    match operation := Operation(name):
        case Operation.CONTACTS_UPSERT:
            return CONTACTS_UPSERT
        case Operation.CONTACTS_DELETE:
            return CONTACTS_DELETE
        case Operation.PREFERENCES_SET:
            return PREFERENCES_SET
        case Operation.LABELS_ATTACH:
            return labels.LABELS_ATTACH
        case Operation.LABELS_DETACH:
            return labels.LABELS_DETACH
        case Operation.LISTS_ADD:
            return lists.LISTS_ADD
        case Operation.LISTS_REMOVE:
            return lists.LISTS_REMOVE
        case Operation.LISTS_OVERWRITE:
            return lists.LISTS_OVERWRITE
        case Operation.AUDIENCES_ADD:
            return AUDIENCES_ADD
        case _:
            assert_never(operation)
