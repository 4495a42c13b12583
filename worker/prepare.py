"""Prepare a chunk: bytes to valid, normalised items and item errors. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from schemas.faults import Fault
from schemas.item_errors import ItemCode
from schemas.items import Run
from storage.chunks import MAX_DEATHS, Claim
from storage.outcomes import AppliedChunk
from worker.operations import Batch, Indexed, OperationModule, item_error, operation_of

CONDEMNED = Fault(
    None,
    ItemCode.PROCESSING_FAILED,
    f"{MAX_DEATHS} workers died or failed while they worked on this item alone: please report it",
    None,
)


class Readable(Protocol):
    """What says how a chunk's bytes are to be read: a claim, or a job that is being finished."""

    @property
    def operation(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def layout(self) -> dict[str, Any] | None: ...
    @property
    def region(self) -> str | None: ...


def prepare(claim: Claim) -> Batch:
    """The items and the item errors of a chunk; every index is in one of the two."""
    operation = operation_of(claim.operation)
    run = Run(operation.reader, claim.format, claim.layout, claim.body)
    offset = claim.skip - claim.first_index  # from an index to a position among the records

    def raw(index: int) -> Any:
        return run.raw(index + offset)

    if claim.deaths >= MAX_DEATHS and claim.items == 1:
        errors = [item_error(claim.first_index, CONDEMNED, raw(claim.first_index))]
        return Batch(items=[], errors=errors, raw=raw)
    items: list[Indexed] = []
    errors = []
    read = run.read(claim.skip, claim.skip + claim.items)
    prepare_item = operation.preparer(claim.region, run)
    for position, item in enumerate(read, claim.skip):
        prepared = item if isinstance(item, Fault) else prepare_item(item, position)
        if isinstance(prepared, Fault):
            index = position - offset
            errors.append(item_error(index, prepared, raw(index)))
        else:
            items.append((position - offset, prepared))
    return Batch(items=items, errors=errors, raw=raw)


def prepare_some(
    operation: OperationModule, how: Readable, chunk: AppliedChunk, indexes: Iterable[int]
) -> Iterator[Indexed]:
    """Some items of a chunk that was applied before, prepared as they were then; they are good ones."""
    run = Run(operation.reader, how.format, how.layout, chunk.body)
    prepare_item = operation.preparer(how.region, run)
    for index in indexes:
        position = index - chunk.first_index + chunk.skip
        (item,) = run.read(position, position + 1)
        yield index, prepare_item(item, position)
