"""Contact lists, labels, teams, channels, audiences and properties."""

from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar

from bulklane._sync.listing import Listing
from bulklane._sync.transport import Transport
from bulklane.calls import UNSET, Call, Unset, get, given, path
from bulklane.decode import decode
from bulklane.resource_models import Audience, Channel, Contact, ContactList, Label, Property, Team

T = TypeVar("T")
PAGE = 100


class Resource(Generic[T]):
    """What all resources have in common: read them, list them. `id` is a name for properties."""

    _name: str
    _model: type[T]

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, id: str | int) -> T:
        """Return one."""
        return decode(self._model, self._transport.send(get(self._path(id))))

    def _list(self, **query: Any) -> Listing[T]:
        return Listing(self._transport, self._path(), self._model, limit=PAGE, **query)

    def _create(self, **fields: Any) -> T:
        return self._sent("POST", self._path(), given(**fields))

    def _change(self, id_: str | int, **fields: Any) -> T:
        return self._sent("PATCH", self._path(id_), given(**fields))

    def _delete(self, id_: str | int) -> None:
        self._transport.send(Call(method="DELETE", path=self._path(id_)))

    def _members(self, id_: str | int) -> Listing[Contact]:
        return Listing(self._transport, self._path(id_, "members"), Contact, limit=PAGE)

    def _sent(self, method: str, path_: str, body: Any = None, *, repeatable: bool = False) -> T:
        call = Call(method=method, path=path_, json=body, repeatable=repeatable)
        return decode(self._model, self._transport.send(call))

    def _path(self, *segments: str | int) -> str:
        return path("v1", self._name, *segments)


class ContactLists(Resource[ContactList]):
    """`client.lists`."""

    _name, _model = "contact-lists", ContactList

    def list(self, *, archived: bool | None = None) -> Listing[ContactList]:
        """List the active lists, or with `archived=True` the archived ones."""
        return self._list(archived=archived)

    def create(self, name: str) -> ContactList:
        """Create a list. Raises ConflictError if the name is taken."""
        return self._create(name=name)

    def rename(self, id: str | int, name: str) -> ContactList:
        """Rename a list."""
        return self._change(id, name=name)

    def archive(self, id: str | int) -> ContactList:
        """Archive a list: it keeps its contacts and takes no new ones."""
        return self._sent("POST", self._path(id, "archive"), repeatable=True)

    def unarchive(self, id: str | int) -> ContactList:
        """Make a list active again."""
        return self._sent("POST", self._path(id, "unarchive"), repeatable=True)

    def members(self, id: str | int) -> Listing[Contact]:
        """List the contacts in a list."""
        return self._members(id)


class Labels(Resource[Label]):
    """`client.labels`."""

    _name, _model = "labels", Label

    def list(self, *, team_id: str | int | None = None) -> Listing[Label]:
        """List the labels, or those of a team."""
        return self._list(team_id=team_id)

    def create(self, name: str, *, colour: str | None = None, team_id: str | int | None = None) -> Label:
        """Create a label. `colour` is `#rrggbb`. Without a team it is for every team."""
        return self._create(name=name, colour=colour, team_id=team_id)

    def change(
        self,
        id: str | int,
        *,
        name: str | Unset = UNSET,
        colour: str | Unset | None = UNSET,
        team_id: str | int | Unset | None = UNSET,
    ) -> Label:
        """Change what is given; None removes the colour or the team."""
        return self._change(id, name=name, colour=colour, team_id=team_id)

    def delete(self, id: str | int) -> None:
        """Delete a label, and remove it from all contacts."""
        self._delete(id)

    def members(self, id: str | int) -> Listing[Contact]:
        """List the contacts that carry a label."""
        return self._members(id)


class Teams(Resource[Team]):
    """`client.teams`."""

    _name, _model = "teams", Team

    def list(self) -> Listing[Team]:
        """List the teams."""
        return self._list()

    def create(self, name: str) -> Team:
        """Create a team."""
        return self._create(name=name)

    def rename(self, id: str | int, name: str) -> Team:
        """Rename a team."""
        return self._change(id, name=name)

    def delete(self, id: str | int) -> None:
        """Delete a team. Raises ConflictError while labels or contacts belong to it."""
        self._delete(id)


class Channels(Resource[Channel]):
    """`client.channels`."""

    _name, _model = "channels", Channel

    def list(self) -> Listing[Channel]:
        """List the channels."""
        return self._list()

    def create(self, name: str, *, phone: str | None = None) -> Channel:
        """Create a channel."""
        return self._create(name=name, phone=phone)

    def change(
        self,
        id: str,
        *,
        name: str | Unset = UNSET,
        phone: str | Unset | None = UNSET,
    ) -> Channel:
        """Change what is given; None removes the phone."""
        return self._change(id, name=name, phone=phone)

    def delete(self, id: str) -> None:
        """Delete a channel with its opt-ins and opt-outs."""
        self._delete(id)


class Audiences(Resource[Audience]):
    """`client.audiences`."""

    _name, _model = "audiences", Audience

    def list(self) -> Listing[Audience]:
        """List the audiences."""
        return self._list()

    def create(self, name: str) -> Audience:
        """Create an audience."""
        return self._create(name=name)

    def rename(self, id: str | int, name: str) -> Audience:
        """Rename an audience."""
        return self._change(id, name=name)

    def delete(self, id: str | int) -> None:
        """Delete an audience; its contacts stay."""
        self._delete(id)

    def members(self, id: str | int) -> Listing[Contact]:
        """List the contacts in an audience."""
        return self._members(id)


class Properties(Resource[Property]):
    """`client.properties`."""

    _name, _model = "properties", Property

    def list(self) -> Listing[Property]:
        """List the properties, by name."""
        return self._list()

    def create(
        self,
        name: str,
        type: Literal["string", "number", "boolean", "date", "enum"],
        *,
        options: Sequence[str] | None = None,
    ) -> Property:
        """Define a property; an enum needs `options`."""
        return self._create(name=name, type=type, options=UNSET if options is None else [*options])

    def change(self, name: str, *, options: Sequence[str]) -> Property:
        """Replace the options of an enum."""
        return self._change(name, options=[*options])

    def delete(self, name: str) -> None:
        """Delete the definition; stored values stay."""
        self._delete(name)
