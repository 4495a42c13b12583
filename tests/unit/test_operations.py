"""Every operation is complete: registered, applied by a worker, described and documented."""

import json
from pathlib import Path

import pytest

from api.openapi import native
from schemas.items.faults import Fault
from schemas.operations import BULK_OPERATIONS, OPERATIONS, JobParams, Operation, stream_of
from schemas.wire.bulk_query import BulkQuery
from worker.operations.registry import REGISTRY

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "operations.md"
PARAMS = JobParams(label_id=1, list_id=2, audience_id=3, preference="allow_all")


def test_the_api_and_the_worker_have_the_same_operations() -> None:
    assert set(OPERATIONS) == set(REGISTRY) == set(Operation), (
        "each needs its entry in schemas/operations.py and its object in a module of worker/operations"
    )


@pytest.mark.parametrize("operation", BULK_OPERATIONS)
def test_the_reference_documents_the_operation(operation: Operation) -> None:
    headings = [line for line in REFERENCE.read_text().splitlines() if line.startswith("## ")]
    assert any(operation in heading for heading in headings), (
        f"add a section about {operation} to {REFERENCE}"
    )


@pytest.mark.parametrize("operation", BULK_OPERATIONS)
def test_the_openapi_document_describes_the_operation(operation: Operation) -> None:
    described = native.described()["variants"][operation]
    assert (described.summary, described.examples) == (
        OPERATIONS[operation].summary,
        {"some items": {"items": OPERATIONS[operation].example}},
    )


@pytest.mark.parametrize("operation", BULK_OPERATIONS)
def test_the_parameters_of_the_operation_are_query_parameters(operation: Operation) -> None:
    assert set(OPERATIONS[operation].parameters) <= set(BulkQuery.model_fields)


@pytest.mark.parametrize("operation", BULK_OPERATIONS)
def test_the_example_of_the_operation_is_valid(operation: Operation) -> None:
    reader, example = OPERATIONS[operation].items.reader, OPERATIONS[operation].example
    read = [reader.read_line(json.dumps(item).encode()) for item in example]
    assert example
    assert not [fault for fault in read if isinstance(fault, Fault)]


@pytest.mark.parametrize(
    ("operation", "stream"),
    [
        ("contacts.upsert", "contacts"),
        ("contacts.delete", "contacts"),
        ("preferences.set", "preferences"),
        ("labels.attach", "label:1"),
        ("labels.detach", "label:1"),
        ("lists.add", "contacts"),
        ("lists.remove", "contacts"),
        ("lists.overwrite", "contacts"),
        ("audiences.add", "audience:3"),
    ],
)
def test_jobs_that_change_the_same_thing_share_a_stream(operation: Operation, stream: str) -> None:
    assert stream_of(Operation(operation), PARAMS) == stream
