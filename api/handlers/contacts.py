"""/v1/contacts and single contacts, as in the fourth document."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from pydantic import ValidationError

from api.http.contact_view import contact_view
from api.http.context import ACCOUNT, API
from api.http.resource import Noun, created, scope, shown
from api.http.validation import all_of, gathering, problems_of, read_json, read_query
from api.openapi.describe import Response, describe
from schemas.errors import NotAcceptable
from schemas.ids import read_id
from schemas.items.properties import Definitions
from schemas.wire.contact_bodies import ContactChange, Facts, NewContact, read_channel_id
from schemas.wire.contacts import Contact, ContactPage, Deleted
from schemas.wire.queries import ContactsQuery, NoQuery
from storage.entities import channels, contacts, properties, teams
from storage.entities.accounts import Account
from storage.entities.contact_columns import ContactRow
from storage.postgres.pool import Conn
from storage.postgres.transactions import transact

Body = TypeVar("Body", bound=ContactChange)
Write = Callable[[Conn, Account, Body], Awaitable[ContactRow]]

CONTACT = Noun(name="contact", param="contact_id", read=partial(read_id, "ctc"), code="unknown_contact")
EXAMPLE = {
    "name": "Priya Sharma",
    "phoneNumber": "+919876543210",
    "language": "hi-IN",
    "metadata": {"city": "Mumbai", "tier": "premium"},
}


@describe(query=ContactsQuery, responses={200: ContactPage})
async def list_contacts(request: web.Request) -> web.Response:
    """The account's contacts, newest first, or those whose name or phone number has a text in it."""
    account = request[ACCOUNT]
    query = read_query(request, ContactsQuery)
    rows, total = await contacts.page(
        request.app[API].ctx.pool,
        account,
        search=query.search,
        size=query.limit,
        skip=(query.page - 1) * query.limit,
    )
    page = ContactPage(
        data=[view_of(request, row) for row in rows],
        total=total,
        page=query.page,
        limit=query.limit,
        total_pages=-(-total // query.limit),
    )
    return shown(page)


@describe(query=NoQuery, responses={200: Contact})
async def get_contact(request: web.Request) -> web.Response:
    """One contact."""
    contact_id = await contact_in(request)
    read_query(request, NoQuery)
    row = CONTACT.found(request, await contacts.get(*scope(request), contact_id))
    return shown(view_of(request, row))


@describe(
    query=NoQuery,
    body=NewContact,
    examples={"a contact": EXAMPLE},
    responses={201: Response(model=Contact, headers=("Location",))},
    errors=(409,),
)
async def create_contact(request: web.Request) -> web.Response:
    """A new contact; 409 where the account has the phone number already."""
    contact = await _written(request, NewContact, _insert)
    return created(request, contact, contact.id)


@describe(
    query=NoQuery,
    body=ContactChange,
    examples={"a change": {"language": "en-IN", "metadata": {"city": "Delhi", "tier": "standard"}}},
    responses={200: Contact},
    errors=(409,),
)
async def change_contact(request: web.Request) -> web.Response:
    """Change what is given, and nothing else; of the documents single keys, null takes away."""
    contact_id = await contact_in(request)

    async def change(conn: Conn, account: Account, wanted: ContactChange) -> ContactRow:
        row = await contacts.change(conn, account.id, contact_id, wanted.columns())
        return CONTACT.found(request, row)

    return shown(await _written(request, ContactChange, change))


@describe(query=NoQuery, responses={200: Deleted})
async def delete_contact(request: web.Request) -> web.Response:
    """Delete a contact, and take it out of lists, labels and audiences; the answers of jobs stay."""
    contact_id = await contact_in(request)
    read_query(request, NoQuery)
    pool, account_id = scope(request)

    async def delete(conn: Conn) -> bool:
        return await contacts.delete(conn, account_id, contact_id)

    done = await transact(pool, delete)
    CONTACT.found(request, done or None)
    return shown(Deleted())


async def contact_in(request: web.Request) -> int:
    """The contact in the path, by its id; or by its external id, where the text can be no id of ours.

    So whoever comes from another product goes on with the ids that he has. Raises NotFound.
    """
    text = request.match_info[CONTACT.param]
    number = read_id("ctc", text)
    if number is None and text.isprintable():
        number = await contacts.id_by_external_id(*scope(request), text)
    return CONTACT.found(request, number)


def view_of(request: web.Request, row: ContactRow) -> Contact:
    """A stored contact as the client reads it."""
    return contact_view(row, request.app[API].ctx.settings.communication_preferences[0])


async def _insert(conn: Conn, account: Account, wanted: NewContact) -> ContactRow:
    return await contacts.insert(conn, account.id, wanted.columns())


async def _written(request: web.Request, model: type[Body], write: "Write[Body]") -> Contact:
    """Read the body, check it against what the account has, and write it, in one transaction."""
    value, account = await read_json(request), request[ACCOUNT]

    async def check_and_write(conn: Conn) -> ContactRow:
        facts = await _facts(conn, request, value)
        return await write(conn, account, _checked(request, value, model, facts))

    return view_of(request, await transact(request.app[API].ctx.pool, check_and_write))


def _checked(request: web.Request, value: object, model: type[Body], facts: Facts) -> Body:
    """The body as the model; raises NotAcceptable with every problem, of the query as well."""
    problems: list[NotAcceptable] = []
    with gathering(problems):
        read_query(request, NoQuery)
    try:
        wanted = model.model_validate(value, context=facts)
    except ValidationError as error:
        raise all_of(problems + problems_of(error)) from None
    if problems:
        raise all_of(problems)
    return wanted


async def _facts(conn: Conn, request: web.Request, value: object) -> Facts:
    """What the rules have to know; team and channel cannot be deleted before the transaction ends."""
    account = request[ACCOUNT]
    body: dict[str, Any] = value if isinstance(value, dict) else {}
    team_id, channel_id = read_id("team", body.get("teamId")), read_channel_id(body.get("defaultChannelId"))
    if team_id is not None and not await teams.lock_shared(conn, account.id, team_id):
        team_id = None
    if channel_id is not None and await channels.lock_shared(conn, account.id, channel_id) is None:
        channel_id = None
    rows = await properties.definitions(conn, account.id) if body.get("properties") else []
    return Facts(
        region=account.region,
        preferences=request.app[API].ctx.settings.communication_preferences,
        team_id=team_id,
        channel_id=channel_id,
        definitions=Definitions(map(dict, rows)),
    )
