"""The base class of operations and their common types."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from schemas.ids import AccountId, JobId
from schemas.item_errors import ItemError
from schemas.items.faults import Fault
from schemas.items.reader import Run
from schemas.operations import JobParams
from storage.pipeline.chunks import Members
from storage.pipeline.results import ItemResults
from storage.postgres.pool import Conn

Indexed = tuple[int, Any]  # the index of an item in the request, and the prepared item


def item_error(index: int, fault: Fault, raw: Any) -> ItemError:
    """Return the item error for a fault. It contains the client's `ref` if that is a string."""
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
    """A prepared chunk: the valid items, the errors of the others, and `raw`, which returns a raw item."""

    items: list[Indexed]
    errors: list[ItemError]
    raw: Callable[[int], Any]

    def error(self, index: int, fault: Fault) -> ItemError:
        """Return the item error for a fault of an item of the chunk."""
        return item_error(index, fault, self.raw(index))


@dataclass(slots=True, kw_only=True)
class Applied:
    """The effect of applying items: a result or a fault per index, and the number of changed memberships."""

    results: ItemResults = field(default_factory=ItemResults)
    faults: dict[int, Fault] = field(default_factory=dict)
    members: Members = field(default_factory=Members)


class JobFacts(Protocol):
    """The attributes of a job that operations use. Claim, DryRun and Finishing have them."""

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


class BaseOperation(ABC):
    """The work of an operation. `schemas.operations` declares its parameters and items."""

    # Whether the last item of a contact decides, so that `settle` must correct what was applied out of order.
    # If not, all items of a contact do the same, and their order does not matter.
    settles: ClassVar[bool]

    @abstractmethod
    def preparer(self, params: JobParams, run: Run) -> Callable[[Any, int], Any | Fault]:
        """Return a pure function that takes an item of the run, read before, and its position.

        It returns the normalised item, or the fault of the item.
        """

    @abstractmethod
    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Apply items in the caller's transaction, with the same effect as one by one, in their order.

        The staging table of the connection is empty.
        """

    async def apply_jobs(
        self, conn: Conn, jobs: Sequence[tuple[JobFacts, Sequence[Indexed]]]
    ) -> list[Applied]:
        """Apply the items of several small jobs with the same effect as in turn. See `apply`."""
        return [await self.apply(conn, job, items) for job, items in jobs]

    async def close(self, conn: Conn, job: JobFacts) -> Members:
        """Run the closing step in the transaction that ends the job. Most operations have none.

        Returns the number of memberships that it changed.
        """
        return Members()
