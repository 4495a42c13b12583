"""The lists, labels, audiences, channels, properties and teams of an account: one table and form for each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from pydantic import BaseModel

from api.html.render import page, see_other
from api.http.context import scope
from api.http.validation import check, read_query
from api.openapi.describe import describe
from api.pages.forms import FormField, body_of, errors_of, read_form
from api.pages.resource_kinds import (
    AUDIENCES,
    CHANNELS,
    KINDS,
    LABELS,
    LISTS,
    PROPERTIES,
    TEAMS,
    ResourceKind,
)
from api.route import Handler
from schemas.errors import Conflict, NotAcceptable
from schemas.ids import show_id
from storage.entities import teams

MOST_TEAMS = 100  # that the form of a label offers


def _pages_of(kind: ResourceKind) -> tuple[Handler, Handler]:
    """Return the handlers of a kind: the one that shows its page, and the one that creates a resource."""

    @describe(hidden=True, query=kind.query)
    async def list_resources(request: web.Request) -> web.Response:
        return await _shown(request, kind, read_query(request, kind.query))

    @describe(hidden=True)
    async def create_resource(request: web.Request) -> web.Response:
        form = await read_form(request)
        try:
            body = await _resolved(request, kind, check(body_of(form, kind.fields), kind.body))
            view: Any = await kind.create(*scope(request), body)
        except (NotAcceptable, Conflict) as error:
            return await _shown(request, kind, kind.query(), form=form, errors=errors_of(error), status=422)
        return see_other(f"{kind.path}/{view.id}" if kind.has_page else kind.path)

    return list_resources, create_resource


list_lists, create_list = _pages_of(LISTS)
list_labels, create_label = _pages_of(LABELS)
list_audiences, create_audience = _pages_of(AUDIENCES)
list_channels, create_channel = _pages_of(CHANNELS)
list_properties, create_property = _pages_of(PROPERTIES)
list_teams, create_team = _pages_of(TEAMS)


async def team_names(request: web.Request, kind: ResourceKind) -> dict[str, str]:
    """Return the first teams of the account by id, for the pages of labels; nothing for those of others."""
    rows = await teams.page(*scope(request), after=0, size=MOST_TEAMS) if kind is LABELS else []
    return {show_id("team", row.id): row.name for row in rows}


def fields_of(kind: ResourceKind, names: Mapping[str, str]) -> tuple[FormField, ...]:
    """Return the fields of a kind. The field of a team offers these teams."""
    return tuple(
        replace(field, choices=(*field.choices, *names.items())) if field.name == "team_id" else field
        for field in kind.fields
    )


async def _resolved(request: web.Request, kind: ResourceKind, body: BaseModel) -> BaseModel:
    """Return a body with the fields that are looked up."""
    given = {name: getattr(body, name) for name in kind.resolve}
    return body.model_copy(
        update={name: await kind.resolve[name](request, value) for name, value in given.items() if value}
    )


async def _shown(
    request: web.Request,
    kind: ResourceKind,
    query: Any,
    *,
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    views: list[Any] = list(await kind.page(*scope(request), query))
    shown = views[: query.limit]
    names = await team_names(request, kind)
    return page(
        request,
        "resources.html",
        status=status,
        kind=kind,
        kinds=KINDS,
        resources=shown,
        teams=names,
        fields=fields_of(kind, names),
        form=form or {},
        errors=errors or {},
        archived=getattr(query, "archived", False),
        first=_address(request, kind, None) if query.cursor else None,
        further=_address(request, kind, getattr(shown[-1], kind.key)) if len(views) > query.limit else None,
    )


def _address(request: web.Request, kind: ResourceKind, cursor: object) -> str:
    """Return the address of another page with the same filters."""
    filters = {name: value for name, value in request.query.items() if name != "cursor"}
    given = filters | ({"cursor": str(cursor)} if cursor else {})
    return f"{kind.path}?{urlencode(given)}" if given else kind.path
