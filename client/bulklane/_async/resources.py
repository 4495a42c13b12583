"""Contact lists, labels, teams, channels, audiences and properties."""

from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar

from bulklane._async.listing import AsyncListing
from bulklane._async.transport import AsyncTransport
from bulklane.calls import UNSET, Call, Unset, get, given, path
from bulklane.decode import decode
from bulklane.resource_models import Audience, Channel, Contact, ContactList, Label, Property, Team

T = TypeVar("T")
PAGE = 100


class AsyncResource(Generic[T]):
    """What all resources have in common: read them, list them. `id` is a name for properties."""

    _name: str
    _model: type[T]

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def get(self, id: str | int) -> T:
        """Return one."""
        return decode(self._model, await self._transport.send(get(self._path(id))))

    def _list(self, **query: Any) -> AsyncListing[T]:
        return AsyncListing(self._transport, self._path(), self._model, limit=PAGE, **query)

    async def _create(self, **fields: Any) -> T:
        return await self._sent("POST", self._path(), given(**fields))

    async def _change(self, id_: str | int, **fields: Any) -> T:
        return await self._sent("PATCH", self._path(id_), given(**fields))

    async def _delete(self, id_: str | int) -> None:
        await self._transport.send(Call(method="DELETE", path=self._path(id_)))

    def _members(self, id_: str | int) -> AsyncListing[Contact]:
        return AsyncListing(self._transport, self._path(id_, "members"), Contact, limit=PAGE)

    async def _sent(self, method: str, path_: str, body: Any = None, *, repeatable: bool = False) -> T:
        call = Call(method=method, path=path_, json=body, repeatable=repeatable)
        return decode(self._model, await self._transport.send(call))

    def _path(self, *segments: str | int) -> str:
        return path("v1", self._name, *segments)


class AsyncContactLists(AsyncResource[ContactList]):
    """`client.lists`."""

    _name, _model = "contact-lists", ContactList

    def list(self, *, archived: bool | None = None) -> AsyncListing[ContactList]:
        """List the active lists, or with `archived=True` the archived ones."""
        return self._list(archived=archived)

    async def create(self, name: str) -> ContactList:
        """Create a list. Raises ConflictError if the name is taken."""
        return await self._create(name=name)

    async def rename(self, id: str | int, name: str) -> ContactList:
        """Rename a list."""
        return await self._change(id, name=name)

    async def archive(self, id: str | int) -> ContactList:
        """Archive a list: it keeps its contacts and takes no new ones."""
        return await self._sent("POST", self._path(id, "archive"), repeatable=True)

    async def unarchive(self, id: str | int) -> ContactList:
        """Make a list active again."""
        return await self._sent("POST", self._path(id, "unarchive"), repeatable=True)

    def members(self, id: str | int) -> AsyncListing[Contact]:
        """List the contacts in a list."""
        return self._members(id)


class AsyncLabels(AsyncResource[Label]):
    """`client.labels`."""

    _name, _model = "labels", Label

    def list(self, *, team_id: str | int | None = None) -> AsyncListing[Label]:
        """List the labels, or those of a team."""
        return self._list(team_id=team_id)

    async def create(
        self, name: str, *, colour: str | None = None, team_id: str | int | None = None
    ) -> Label:
        """Create a label. `colour` is `#rrggbb`. Without a team it is for every team."""
        return await self._create(name=name, colour=colour, team_id=team_id)

    async def change(
        self,
        id: str | int,
        *,
        name: str | Unset = UNSET,
        colour: str | Unset | None = UNSET,
        team_id: str | int | Unset | None = UNSET,
    ) -> Label:
        """Change what is given; None removes the colour or the team."""
        return await self._change(id, name=name, colour=colour, team_id=team_id)

    async def delete(self, id: str | int) -> None:
        """Delete a label, and remove it from all contacts."""
        await self._delete(id)

    def members(self, id: str | int) -> AsyncListing[Contact]:
        """List the contacts that carry a label."""
        return self._members(id)


class AsyncTeams(AsyncResource[Team]):
    """`client.teams`."""

    _name, _model = "teams", Team

    def list(self) -> AsyncListing[Team]:
        """List the teams."""
        return self._list()

    async def create(self, name: str) -> Team:
        """Create a team."""
        return await self._create(name=name)

    async def rename(self, id: str | int, name: str) -> Team:
        """Rename a team."""
        return await self._change(id, name=name)

    async def delete(self, id: str | int) -> None:
        """Delete a team. Raises ConflictError while labels or contacts belong to it."""
        await self._delete(id)


class AsyncChannels(AsyncResource[Channel]):
    """`client.channels`."""

    _name, _model = "channels", Channel

    def list(self) -> AsyncListing[Channel]:
        """List the channels."""
        return self._list()

    async def create(self, name: str, *, phone: str | None = None) -> Channel:
        """Create a channel."""
        return await self._create(name=name, phone=phone)

    async def change(
        self,
        id: str,
        *,
        name: str | Unset = UNSET,
        phone: str | Unset | None = UNSET,
    ) -> Channel:
        """Change what is given; None removes the phone."""
        return await self._change(id, name=name, phone=phone)

    async def delete(self, id: str) -> None:
        """Delete a channel with its opt-ins and opt-outs."""
        await self._delete(id)


class AsyncAudiences(AsyncResource[Audience]):
    """`client.audiences`."""

    _name, _model = "audiences", Audience

    def list(self) -> AsyncListing[Audience]:
        """List the audiences."""
        return self._list()

    async def create(self, name: str) -> Audience:
        """Create an audience."""
        return await self._create(name=name)

    async def rename(self, id: str | int, name: str) -> Audience:
        """Rename an audience."""
        return await self._change(id, name=name)

    async def delete(self, id: str | int) -> None:
        """Delete an audience; its contacts stay."""
        await self._delete(id)

    def members(self, id: str | int) -> AsyncListing[Contact]:
        """List the contacts in an audience."""
        return self._members(id)


class AsyncProperties(AsyncResource[Property]):
    """`client.properties`."""

    _name, _model = "properties", Property

    def list(self) -> AsyncListing[Property]:
        """List the properties, by name."""
        return self._list()

    async def create(
        self,
        name: str,
        type: Literal["string", "number", "boolean", "date", "enum"],
        *,
        options: Sequence[str] | None = None,
    ) -> Property:
        """Define a property; an enum needs `options`."""
        return await self._create(name=name, type=type, options=UNSET if options is None else [*options])

    async def change(self, name: str, *, options: Sequence[str]) -> Property:
        """Replace the options of an enum."""
        return await self._change(name, options=[*options])

    async def delete(self, name: str) -> None:
        """Delete the definition; stored values stay."""
        await self._delete(name)
