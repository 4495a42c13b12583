"""Single contacts: find, create, change and delete them, and what they belong to."""

from typing import Any, Literal, Unpack

from bulklane._async.listing import AsyncListing, AsyncNumberedListing
from bulklane._async.transport import AsyncTransport
from bulklane.calls import Call, get, path
from bulklane.decode import decode, wire_names
from bulklane.models import HistoryEntry
from bulklane.resource_models import Audience, Contact, ContactFields, ContactList, Erasure, Label, OptIn

NAMES = wire_names(Contact)


class AsyncContacts:
    """`client.contacts`. An id is `ctc_…`, its number, or your own `external_id`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self, *, search: str | None = None, limit: int = 100) -> AsyncListing[Contact]:
        """List contacts; `search` finds them by name or phone. `limit` is the size of a page, at most 100."""
        return AsyncNumberedListing(self._transport, "/v1/contacts", Contact, search=search, limit=limit)

    async def get(self, contact_id: str | int) -> Contact:
        """Return a contact."""
        return decode(Contact, await self._transport.send(get(path("v1", "contacts", contact_id))))

    async def create(self, **fields: Unpack[ContactFields]) -> Contact:
        """Create a contact; `name` and `phone` are required. Raises ConflictError if the phone is taken."""
        call = Call(method="POST", path="/v1/contacts", json=_body(fields))
        return decode(Contact, await self._transport.send(call))

    async def change(self, contact_id: str | int, **fields: Unpack[ContactFields]) -> Contact:
        """Change the given fields and no others; None clears a field."""
        call = Call(method="PATCH", path=path("v1", "contacts", contact_id), json=_body(fields))
        return decode(Contact, await self._transport.send(call))

    async def delete(self, contact_id: str | int) -> None:
        """Delete a contact. It leaves its lists, labels and audiences."""
        await self._transport.send(Call(method="DELETE", path=path("v1", "contacts", contact_id)))

    async def data(self, contact_id: str | int) -> dict[str, Any]:
        """Return all that is stored about a contact, also by jobs, as the API returns it."""
        found: dict[str, Any] = await self._transport.send(get(path("v1", "contacts", contact_id, "data")))
        return found

    async def erase(self, contact_id: str | int) -> Erasure:
        """Ask to erase a contact, and all that is stored about it. Workers do it: see `erasure`."""
        call = Call(method="DELETE", path=path("v1", "contacts", contact_id, "data"), repeatable=True)
        return decode(Erasure, await self._transport.send(call))

    async def erasure(self, erasure_id: str) -> Erasure:
        """Return an erasure: how far it is."""
        return decode(Erasure, await self._transport.send(get(path("v1", "erasures", erasure_id))))

    def labels(self, contact_id: str | int) -> AsyncListing[Label]:
        """List the labels of a contact."""
        return AsyncListing(self._transport, path("v1", "contacts", contact_id, "labels"), Label)

    def lists(self, contact_id: str | int) -> AsyncListing[ContactList]:
        """List the contact lists of a contact."""
        return AsyncListing(self._transport, path("v1", "contacts", contact_id, "lists"), ContactList)

    def audiences(self, contact_id: str | int) -> AsyncListing[Audience]:
        """List the audiences of a contact."""
        return AsyncListing(self._transport, path("v1", "contacts", contact_id, "audiences"), Audience)

    def opt_ins(self, contact_id: str | int) -> AsyncListing[OptIn]:
        """List what is known of a contact and each channel."""
        return AsyncListing(self._transport, path("v1", "contacts", contact_id, "opt-ins"), OptIn)

    def history(self, contact_id: str | int) -> AsyncListing[HistoryEntry]:
        """List the jobs and the single requests that touched a contact, newest first; also a deleted one."""
        return AsyncListing(self._transport, path("v1", "contacts", contact_id, "history"), HistoryEntry)

    async def set_opt_in(
        self,
        contact_id: str | int,
        channel_id: str,
        *,
        opted_in: bool,
        by: Literal["contact", "account"] = "account",
    ) -> OptIn:
        """Record an opt-in or an opt-out, and who decided it. An opt-out by the contact itself is kept."""
        call = Call(
            method="PUT",
            path=path("v1", "contacts", contact_id, "opt-ins", channel_id),
            json={"opted_in": opted_in, "by": by},
            repeatable=True,
        )
        return decode(OptIn, await self._transport.send(call))


def _body(fields: ContactFields) -> dict[str, Any]:
    return {NAMES.get(name, name): value for name, value in fields.items()}
