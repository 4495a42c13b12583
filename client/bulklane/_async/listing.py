"""Lists with pages: iterate over all of a list, or read one page after the other."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bulklane._async.transport import AsyncTransport
from bulklane.calls import get
from bulklane.decode import decode

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page. `next_cursor` is that of the next one; None: this is the last page."""

    data: list[T]
    next_cursor: str | None


class AsyncListing(Generic[T]):
    """A list of the service. To iterate over it reads one page after the other; to make it reads nothing."""

    def __init__(
        self, transport: AsyncTransport, path: str, make: type[T] | Callable[[Any], T], **query: Any
    ) -> None:
        self._transport = transport
        self._path = path
        self._make = make
        self._query = query

    async def page(self, cursor: str | None = None) -> Page[T]:
        """Return one page: the first one, or the one of a `next_cursor`."""
        found = await self._transport.send(get(self._path, **self._query | {"cursor": cursor}))
        return Page(data=[self._made(one) for one in found["data"]], next_cursor=found["next_cursor"])

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Yield all pages."""
        page = await self.page()
        yield page
        while page.next_cursor is not None:
            page = await self.page(page.next_cursor)
            yield page

    async def first(self) -> T | None:
        """Return the first element; None if the list is empty."""
        page = await self.page()
        return page.data[0] if page.data else None

    async def __aiter__(self) -> AsyncIterator[T]:
        """Yield all elements."""
        async for page in self.pages():
            for element in page.data:
                yield element

    def _made(self, data: Any) -> T:
        return decode(self._make, data) if isinstance(self._make, type) else self._make(data)


class AsyncNumberedListing(AsyncListing[T]):
    """A list whose pages have numbers, which serve as cursors."""

    async def page(self, cursor: str | None = None) -> Page[T]:
        """Return one page: the first one, or the one of a `next_cursor`."""
        found = await self._transport.send(get(self._path, **self._query | {"page": cursor}))
        last = found["page"] >= found["totalPages"]
        following = None if last else str(found["page"] + 1)
        return Page(data=[self._made(one) for one in found["data"]], next_cursor=following)
