"""A list, a label or an audience: what it is, how to change it, and its members."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from api.html.render import page, see_other
from api.http.contact_view import contact_view
from api.http.context import API, scope
from api.http.path_id import PathId
from api.http.validation import check, read_query
from api.http.views.resource_ids import AUDIENCE, LABEL, LIST, known_team
from api.http.views.resource_views import audience_view, label_view, list_view
from api.openapi.describe import describe
from api.pages.forms import body_of, errors_of, read_form
from api.pages.resource_kinds import AUDIENCES, LABELS, LISTS, ResourceKind
from api.pages.resources import fields_of, team_names
from api.route import Handler
from schemas.errors import Conflict, NotAcceptable
from schemas.ids import show_id
from schemas.wire.page_queries import OwnerPageQuery
from schemas.wire.resource_bodies import LabelChange, NameBody
from schemas.wire.resources import ContactList
from storage.entities import audiences, contact_lists, labels, memberships
from storage.entities.memberships import Kind as MemberKind

PAGE_SIZE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerKind:
    """What differs between the pages of lists, labels and audiences. `get` and `change` return views."""

    kind: ResourceKind
    members: MemberKind
    path_id: PathId[int]
    body: type[BaseModel]
    get: Callable[[web.Request, int], Awaitable[Any]]
    change: Callable[[web.Request, int, Any], Awaitable[object]]


async def _list(request: web.Request, list_id: int) -> Any:
    row = await contact_lists.get(*scope(request), list_id)
    return list_view(LIST.found(request, row))


async def _rename_list(request: web.Request, list_id: int, body: NameBody) -> object:
    return await contact_lists.rename(*scope(request), list_id, name=body.name)


async def _label(request: web.Request, label_id: int) -> Any:
    row = await labels.get(*scope(request), label_id)
    return label_view(LABEL.found(request, row))


async def _change_label(request: web.Request, label_id: int, body: LabelChange) -> object:
    """Set all fields: an empty one of the form clears what is stored."""
    team_id = await known_team(request, body.team_id) if body.team_id else None
    changes = {"name": body.name, "colour": body.colour, "team_id": team_id}
    return await labels.change(*scope(request), label_id, changes)


async def _audience(request: web.Request, audience_id: int) -> Any:
    row = await audiences.get(*scope(request), audience_id)
    return audience_view(AUDIENCE.found(request, row))


async def _rename_audience(request: web.Request, audience_id: int, body: NameBody) -> object:
    return await audiences.rename(*scope(request), audience_id, name=body.name)


def _pages_of(owner: OwnerKind) -> tuple[Handler, Handler]:
    """Return the handlers of one kind: the one that shows it, and the one that changes it."""

    @describe(hidden=True, query=OwnerPageQuery)
    async def show_owner(request: web.Request) -> web.Response:
        query, id_ = read_query(request, OwnerPageQuery), await owner.path_id.in_path(request)
        return await _shown(request, owner, id_, after=query.cursor)

    @describe(hidden=True)
    async def change_owner(request: web.Request) -> web.Response:
        form = await read_form(request)
        id_ = await owner.path_id.in_path(request)
        try:
            body = check({"name": "", **body_of(form, owner.kind.fields)}, owner.body)
            owner.path_id.found(request, await owner.change(request, id_, body))
        except (NotAcceptable, Conflict) as error:
            return await _shown(request, owner, id_, form=form, errors=errors_of(error), status=422)
        return see_other(request.path)

    return show_owner, change_owner


show_list, change_list = _pages_of(
    OwnerKind(kind=LISTS, members="list", path_id=LIST, body=NameBody, get=_list, change=_rename_list)
)
show_label, change_label = _pages_of(
    OwnerKind(kind=LABELS, members="label", path_id=LABEL, body=LabelChange, get=_label, change=_change_label)
)
show_audience, change_audience = _pages_of(
    OwnerKind(
        kind=AUDIENCES,
        members="audience",
        path_id=AUDIENCE,
        body=NameBody,
        get=_audience,
        change=_rename_audience,
    )
)


@describe(hidden=True)
async def archive_list(request: web.Request) -> web.Response:
    """Archive a list."""
    await read_form(request)
    list_id = await LIST.in_path(request)
    row = LIST.found(request, await contact_lists.archive(*scope(request), list_id))
    return see_other(f"/lists/{list_view(row).id}")


@describe(hidden=True)
async def unarchive_list(request: web.Request) -> web.Response:
    """Make a list active again."""
    await read_form(request)
    list_id = await LIST.in_path(request)
    row = LIST.found(request, await contact_lists.unarchive(*scope(request), list_id))
    return see_other(f"/lists/{list_view(row).id}")


async def _shown(
    request: web.Request,
    owner: OwnerKind,
    id_: int,
    *,
    after: int = 0,
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    view = await owner.get(request, id_)
    rows = await memberships.page(*scope(request), owner.members, id_, after=after, size=PAGE_SIZE + 1)
    names = await team_names(request, owner.kind)
    address = f"{owner.kind.path}/{view.id}"
    last = show_id("ctc", rows[PAGE_SIZE - 1].id) if len(rows) > PAGE_SIZE else None
    settings = request.app[API].ctx.settings
    return page(
        request,
        "owner.html",
        status=status,
        kind=owner.kind,
        owner=view,
        address=address,
        is_list=isinstance(view, ContactList),
        members=[contact_view(row, settings) for row in rows[:PAGE_SIZE]],
        teams=names,
        fields=fields_of(owner.kind, names),
        form=form or {field.name: getattr(view, field.name) or "" for field in owner.kind.fields},
        errors=errors or {},
        first=address if after else None,
        further=last and f"{address}?cursor={last}",
    )
