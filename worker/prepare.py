"""Prepare a chunk: convert its bytes to valid, normalised items and item errors. Pure."""

from collections.abc import Collection, Iterator
from typing import Any

from schemas.item_errors import ItemCode
from schemas.items.faults import Fault
from schemas.items.reader import Run
from schemas.operations import OPERATIONS, Operation
from storage.failpoints import is_armed, reach
from storage.pipeline.chunks import MAX_DEATHS, Claim
from storage.pipeline.reordered import AppliedChunk
from worker.operations.base import BaseOperation, Batch, Indexed, JobFacts, item_error
from worker.operations.registry import operation_of

CONDEMNED = Fault(
    None,
    ItemCode.PROCESSING_FAILED,
    f"{MAX_DEATHS} workers died or failed on this item: report it to the operator",
    None,
)


def prepare(claim: Claim) -> Batch:
    """Return the items and the item errors of a chunk. Every index is in exactly one of the two.

    The only item of a chunk with MAX_DEATHS deaths is not read again: it fails as `processing_failed`.
    """
    operation = operation_of(claim.operation)
    run = _run(claim, claim.body)
    offset = claim.skip - claim.first_index  # index + offset = position among the records

    def raw(index: int) -> Any:
        return run.raw(index + offset)

    if claim.deaths >= MAX_DEATHS and claim.items == 1:
        errors = [item_error(claim.first_index, CONDEMNED, raw(claim.first_index))]
        return Batch(items=[], errors=errors, raw=raw)
    if is_armed("prepare.item"):
        for index in range(claim.first_index, claim.first_index + claim.items):
            reach("prepare.item", str(raw(index)))
    items: list[Indexed] = []
    errors = []
    read = run.read(claim.skip, claim.skip + claim.items)
    prepare_item = operation.preparer(claim.params, run)
    for position, item in enumerate(read, claim.skip):
        prepared = item if isinstance(item, Fault) else prepare_item(item, position)
        if isinstance(prepared, Fault):
            index = position - offset
            errors.append(item_error(index, prepared, raw(index)))
        else:
            items.append((position - offset, prepared))
    return Batch(items=items, errors=errors, raw=raw)


def prepare_some(
    operation: BaseOperation, job: JobFacts, chunk: AppliedChunk, indexes: Collection[int]
) -> Iterator[Indexed]:
    """Yield some items of an applied chunk, prepared again.

    All of them were valid when they were applied. A fault means that the code has changed since.
    """
    run = _run(job, chunk.body)
    positions = [index - chunk.first_index + chunk.skip for index in indexes]
    read = [run.read(position, position + 1)[0] for position in positions]
    prepare_item = operation.preparer(job.params, run)
    for index, position, item in zip(indexes, positions, read, strict=True):
        yield index, item if isinstance(item, Fault) else prepare_item(item, position)


def raw_item(job: JobFacts, chunk: AppliedChunk, index: int) -> Any:
    """Return an item of an applied chunk as it was sent."""
    return _run(job, chunk.body).raw(index - chunk.first_index + chunk.skip)


def _run(job: JobFacts, body: bytes) -> Run:
    reader = OPERATIONS[Operation(job.operation)].items.reader
    lenient = job.params.unknown_columns != "refuse"
    return Run(reader, job.format, job.layout, body, job.params.date_format, lenient=lenient)
