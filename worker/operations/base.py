"""What is done to items: one module an operation family, each with a `prepare` and an `apply`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schemas.ids import AccountId, JobId
from schemas.item_errors import ItemError
from schemas.items.faults import Fault
from schemas.items.reader import Run
from schemas.params import JobParams
from storage.pipeline.chunks import Answer, Members
from storage.postgres.pool import Conn

Indexed = tuple[int, Any]  # the index of an item in the request, and the prepared item


def item_error(index: int, fault: Fault, raw: Any) -> ItemError:
    """The item error that tells of a fault; the client's own `ref` is echoed if it can be read."""
    ref = raw.get("ref") if isinstance(raw, dict) else None
    return ItemError(
        index=index,
        field=fault.field,
        code=fault.code,
        message=fault.message,
        value=fault.value,
        item=raw,
        ref=ref if isinstance(ref, str) else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A prepared chunk: the good items, the errors of the others, and a way back to the raw items."""

    items: list[Indexed]
    errors: list[ItemError]
    raw: Callable[[int], Any]

    def error(self, index: int, fault: Fault) -> ItemError:
        """The item error that tells of a fault of one of the chunk's items."""
        return item_error(index, fault, self.raw(index))


@dataclass(slots=True, kw_only=True)
class Applied:
    """What applying did: an answer for each item by its index, faults of those that could not be applied."""

    answers: dict[int, Answer] = field(default_factory=dict)
    faults: dict[int, Fault] = field(default_factory=dict)
    members: Members = field(default_factory=Members)


class JobFacts(Protocol):
    """What is the same for all items of a job: of a claim, or of a job that is being finished."""

    @property
    def account_id(self) -> AccountId: ...
    @property
    def job_id(self) -> JobId: ...
    @property
    def operation(self) -> str: ...
    @property
    def params(self) -> JobParams: ...
    @property
    def format(self) -> str: ...
    @property
    def layout(self) -> dict[str, Any] | None: ...


class OperationModule(Protocol):
    """What each module of this package offers. `schemas.operations` has the rest of an operation."""

    # Whether settling applies the items of a contact once more, since the last one counts. Where all items of
    # a contact do the same, in any order and any number of times, it only has to put the answers right.
    reapplies: bool

    def preparer(self, params: JobParams, run: Run) -> Callable[[Any, int], Any | Fault]:
        """What normalises a valid item at a position of the run, or says what is wrong with it. Pure."""

    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Apply items with the effect of one by one in their order, inside the caller's transaction."""

    def merge(self, earlier: Any, later: Any) -> Any:
        """The item that has the effect of both."""

    async def close(self, conn: Conn, job: JobFacts) -> Members:
        """The closing step, once all chunks are applied, in the transaction that ends the job."""
