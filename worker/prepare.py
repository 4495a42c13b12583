"""Prepare a chunk: bytes to valid, normalised items and item errors. Pure."""

from collections.abc import Container, Iterable, Iterator
from typing import Any, Protocol

from schemas.faults import Fault
from schemas.item_errors import ItemCode
from schemas.items import Run
from storage.chunks import MAX_DEATHS, Claim
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
    run = open_run(operation, claim, claim.body)
    offset = claim.skip - claim.first_index  # from an index to a position among the records

    def raw(index: int) -> Any:
        return run.raw(index + offset)

    indexes = range(claim.first_index, claim.first_index + claim.items)
    if claim.deaths >= MAX_DEATHS and claim.items == 1:
        errors = [item_error(claim.first_index, CONDEMNED, raw(claim.first_index))]
        return Batch(items=[], errors=errors, raw=raw)
    items: list[Indexed] = []
    errors = []
    for index, item in read_items(operation, run, offset, indexes, claim.region):
        if isinstance(item, Fault):
            errors.append(item_error(index, item, raw(index)))
        else:
            items.append((index, item))
    return Batch(items=items, errors=errors, raw=raw)


def open_run(operation: OperationModule, how: Readable, body: bytes) -> Run:
    """The records of a chunk's bytes."""
    return Run(operation.reader, how.format, how.layout, body)


def read_items(
    operation: OperationModule,
    run: Run,
    offset: int,
    indexes: Iterable[int],
    region: str | None,
    *,
    only: Container[int] | None = None,
) -> Iterator[tuple[int, Any | Fault]]:
    """The prepared item, or the fault, at each index (at those in `only`)."""
    for index in indexes:
        if only is not None and index not in only:
            continue
        item = run.read(index + offset)
        yield index, item if isinstance(item, Fault) else operation.prepare(item, region)
