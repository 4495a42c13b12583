"""The base class of operations, and the types that they share."""

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
from storage.pipeline.results import ItemResult
from storage.postgres.pool import Conn

Indexed = tuple[int, Any]  # the index of an item in the request, and the prepared item


def item_error(index: int, fault: Fault, raw: Any) -> ItemError:
    """Make an item error from a fault; the client's own `ref` is echoed if it can be read."""
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
        """Make an item error from a fault of one of the chunk's items."""
        return item_error(index, fault, self.raw(index))


@dataclass(slots=True, kw_only=True)
class Applied:
    """The effect of applying items: a result or a fault of each by its index, and the memberships changed."""

    results: dict[int, ItemResult] = field(default_factory=dict)
    faults: dict[int, Fault] = field(default_factory=dict)
    members: Members = field(default_factory=Members)


class JobFacts(Protocol):
    """The facts of a job that operations use: a claim, a dry run and a finish have them."""

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
    """The work of an operation; `schemas.operations` declares the rest of it."""

    # Whether settle applies the merged items of a contact once more, because the last item decides. Where all
    # items of a contact do the same, in any order and any number of times, settle only corrects the results.
    reapplies: ClassVar[bool]

    @abstractmethod
    def preparer(self, params: JobParams, run: Run) -> Callable[[Any, int], Any | Fault]:
        """Make the function that normalises a valid item, or finds its fault. Pure.

        It takes the item and its position in the run.
        """

    @abstractmethod
    async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
        """Apply items inside the caller's transaction, with the effect of one by one in their order."""

    @abstractmethod
    def merge(self, earlier: Any, later: Any) -> Any:
        """Merge two items of one contact into one that has the effect of both."""

    async def close(self, conn: Conn, job: JobFacts) -> Members:
        """Run the closing step, in the transaction that ends the job; most operations have none.

        Returns the memberships that it changed.
        """
        return Members()
