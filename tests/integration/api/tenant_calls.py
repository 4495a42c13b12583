"""The requests that the tests of tenants send to each private route. A test finds routes without one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.openapi.describe import description_of
from api.route import Route
from api.routes import PAGE_ROUTES, ROUTES
from schemas.operations import BULK_OPERATIONS
from schemas.wire.query_models import NoQuery
from tests.integration.api.key_calls import KEY_CALLS
from tests.integration.api.page_calls import PAGE_CALLS, Call, Names

# The kind of thing that each path parameter names.
NAMED_IN_PATH = {
    "job_id": "job", "upload_id": "upload", "erasure_id": "erasure",
    "list_id": "list", "label_id": "label", "team_id": "team",
    "channel_id": "channel", "audience_id": "audience", "contact_id": "contact",
    "name": "property", "phone_number_id": "phone_number_id", "webhook_id": "webhook",
    "delivery_id": "delivery", "key": "key",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request before it is sent."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any  # JSON, or the bytes of a file
    headers: Mapping[str, str]
    is_page: bool  # sent by a signed-in browser, with the body as a form


def routes() -> dict[str, Route]:
    """Return the private routes by method and path, with those of pages. Each bulk operation is a route."""
    found = {}
    for route in (*ROUTES, *PAGE_ROUTES):
        if not route.public:
            operations = BULK_OPERATIONS if "{operation}" in route.path else [""]
            for operation in operations:
                found[f"{route.method} {route.path.replace('{operation}', operation)}"] = route
    return found


def calls_of(key: str) -> list[Call]:
    """Return the calls of a route. A GET that takes only the ids in its path needs no entry in CALLS."""
    if key in CALLS:
        return CALLS[key]
    takes_ids_only = key.startswith("GET ") and description_of(routes()[key].handler).query in (None, NoQuery)
    return PLAIN if takes_ids_only else []


def request_of(key: str, call: Call, names: Names) -> Request:
    """Build the request of a route with these names."""
    method, path = key.split(" ")
    for parameter, kind in NAMED_IN_PATH.items():
        path = path.replace(f"{{{parameter}}}", names[kind])
    idempotency_key = names["idempotency_key"]
    headers = {"Idempotency-Key": idempotency_key} if routes()[key].bulk and idempotency_key else {}
    return Request(
        method=method,
        path=path,
        query=call.query(names),
        body=call.body(names),
        headers=headers | dict(call.headers),
        is_page=routes()[key] in PAGE_ROUTES,
    )


def in_path(key: str) -> Iterator[str]:
    """Return the kinds of things that the path of a route names."""
    return (kind for parameter, kind in NAMED_IN_PATH.items() if f"{{{parameter}}}" in key)


def _item(n: Names) -> dict[str, Any]:
    """Return an item of an upsert with a phone that the account does not have."""
    return {
        "phone": n["new_phone"],
        "external_id": n["external_id"],
        "name": "Changed",
        "default_channel_id": n["channel"],
        "properties": {n["property"]: "y"},
    }


def _same_item(n: Names) -> dict[str, Any]:
    return {"phone": n["phone"], "name": "Changed", "email": None, "metadata": {"secret": None}}


def _items(n: Names) -> list[Any]:
    return [_item(n), _same_item(n)]


def _references(n: Names) -> list[Any]:
    return [{"id": n["contact"]}, {"phone": n["phone"]}, {"external_id": n["external_id"]}]


def _camel_contact(n: Names) -> dict[str, Any]:
    return {
        "name": "Changed",
        "phoneNumber": n["new_phone"],
        "externalId": n["new_external_id"],
        "defaultChannelId": n["channel"],
        "properties": {n["property"]: "y"},
    }


def _webhook(n: Names) -> dict[str, Any]:
    return {"url": "https://example.com/changed", "events": ["job.throttled"], "description": n["new_name"]}


def _list_contacts(action: str) -> Call:
    return Call(
        body=lambda n: {
            "action": action,
            "contacts": _items(n),
            "opt_in_to": [{"id": n["channel"]}, {"phone": n["channel_phone"]}],
        }
    )


BULK_LABEL = [
    Call(body=lambda n: {"contact_ids": [n["contact"]], "label_id": n["label"], "operation": "attach"}),
    Call(body=lambda n: {"contact_ids": [n["contact"]], "label_id": n["label"], "operation": "detach"}),
]
NEW_NAME = [Call(body=lambda n: {"name": n["new_name"]})]
OF_A_LIST = Call(body=_items, query=lambda n: {"list_id": n["list"], "opt_in_to": n["channel"]})
PLAIN = [Call()]
DELETES = [Call(deletes=True)]
QUEUES = [Call(statuses=(202,))]

JOB_FILTERS = [
    Call(query=lambda n: {"name": n["name"], "tag": n["name"], "since": "2020-01-01T00:30:00Z"}),
    Call(query=lambda n: {"name": f"{n['name'][:2]}*", "state": "failed,completed_with_errors"}),
]

APPEND = {"Content-Type": "application/partial-upload"}

CALLS: dict[str, list[Call]] = {
    "POST /v1/bulk/contacts.upsert": [
        Call(body=_items),
        Call(body=_items, query=lambda _: {"dry_run": "true"}),
    ],
    "POST /v1/bulk/contacts.delete": [Call(body=_references, deletes=True)],
    "POST /v1/bulk/preferences.set": [Call(body=_references, query=lambda _: {"preference": "mute_all"})],
    "POST /v1/bulk/labels.attach": [Call(body=_references, query=lambda n: {"label_id": n["label"]})],
    "POST /v1/bulk/labels.detach": [Call(body=_references, query=lambda n: {"label_id": n["label"]})],
    "POST /v1/bulk/lists.add": [OF_A_LIST, Call(body=_items, query=lambda n: {"list_id": n["list"]})],
    "POST /v1/bulk/lists.remove": [Call(body=_items, query=lambda n: {"list_id": n["list"]})],
    "POST /v1/bulk/lists.overwrite": [OF_A_LIST],
    "POST /v1/bulk/audiences.add": [Call(body=_references, query=lambda n: {"audience_id": n["audience"]})],
    "POST /api/v1/contacts/bulk_update_communication_preferences": [
        Call(body=lambda n: {"phone_numbers": [n["phone"]], "communication_preference": "mute_all"}),
        Call(body=lambda n: {"phone_numbers": [n["phone"]], "communication_preference": "allow_all"}),
    ],
    "PUT /v1/contacts/lists/{list_id}/contacts": [
        _list_contacts(action) for action in ("add", "remove", "overwrite")
    ],
    "POST /v1/contacts/lists/{list_id}/contacts": [_list_contacts("overwrite")],
    "POST /v1/{phone_number_id}/contacts/bulk_label": BULK_LABEL,
    "POST /v1/contacts/bulk": [
        Call(body=lambda n: {"contacts": [_camel_contact(n), {"name": "Changed", "phoneNumber": n["phone"]}]})
    ],
    "POST /v1/contacts/bulk-delete": [Call(body=lambda n: {"contactIds": [n["contact"]]}, deletes=True)],
    "POST /v1/contacts/add-to-audience": [
        Call(body=lambda n: {"contactIds": [n["contact"]], "audienceId": n["audience"]})
    ],
    "POST /v1/uploads": [
        Call(
            query=lambda _: {"operation": "contacts.upsert"},
            body=lambda n: f"phone,name\n{n['phone']},Changed\n".encode(),
            headers={"Upload-Complete": complete, "Content-Type": "text/csv"},
        )
        for complete in ("?0", "?1")
    ],
    "GET /v1/uploads": [Call(), Call(query=lambda n: {"limit": "1", "cursor": n["upload"]})],
    "GET /v1/uploads/{upload_id}": [Call(), Call(headers={"Want-Repr-Digest": "sha-256=10"})],
    "PATCH /v1/uploads/{upload_id}": [
        Call(
            body=lambda n: f"{n['new_phone']},Changed\n".encode(),
            headers={**APPEND, "Upload-Offset": "11", "Upload-Complete": "?1"},
            statuses=(200,),
        ),
        Call(
            body=lambda _: b"x",
            headers={**APPEND, "Upload-Offset": "5", "Upload-Complete": "?0"},
            statuses=(409,),
        ),
    ],
    "DELETE /v1/uploads/{upload_id}": DELETES,
    "GET /v1/jobs": [
        Call(),
        Call(query=lambda _: {"limit": "1"}),
        Call(query=lambda n: {"cursor": n["job"]}),
        Call(query=lambda n: {"cursor": f"newer_{n['job']}"}),
        *JOB_FILTERS,
    ],
    "GET /v1/jobs/counts": [Call(), *JOB_FILTERS],
    "GET /v1/jobs/{job_id}": PLAIN,
    "GET /v1/jobs/{job_id}/errors": PLAIN,
    "GET /v1/jobs/{job_id}/results": PLAIN,
    "POST /v1/jobs/cancel": [
        Call(body=lambda n: {"filter": {"ids": [n["job"]]}, "preview": False}),
        Call(body=lambda n: {"filter": {"since": "2020-01-01T00:00:00Z"}, "preview": False}),
    ],
    "POST /v1/jobs/retry": [
        Call(body=lambda n: {"filter": {"ids": [n["job"]]}}),
        Call(body=lambda n: {"filter": {"since": "2020-01-01T00:00:00Z"}}),
        Call(body=lambda n: {"filter": {"ids": [n["job"]]}, "preview": False}),
    ],
    "POST /v1/jobs/{job_id}/cancel": [Call(statuses=(409,))],  # the job has ended
    "POST /v1/jobs/{job_id}/retry": [Call(statuses=(207,))],  # the failed items fail again
    "POST /v1/jobs/{job_id}/undo": [Call(query=lambda _: {"force": "true", "name": "undo"})],
    "GET /v1/contacts": [
        Call(),
        Call(query=lambda n: {"search": n["name"]}),
        Call(query=lambda n: {"search": n["phone"]}),
    ],
    "POST /v1/contacts": [Call(body=lambda n: _camel_contact(n) | {"teamId": n["team"]})],
    "GET /v1/contacts/{contact_id}": PLAIN,
    "PATCH /v1/contacts/{contact_id}": [Call(body=lambda n: _camel_contact(n) | {"teamId": n["team"]})],
    "DELETE /v1/contacts/{contact_id}": DELETES,
    "DELETE /v1/contacts/{contact_id}/data": QUEUES,
    "GET /v1/contacts/{contact_id}/labels": [Call(), Call(query=lambda n: {"cursor": n["label"]})],
    "GET /v1/contacts/{contact_id}/lists": [Call(), Call(query=lambda n: {"cursor": n["list"]})],
    "GET /v1/contacts/{contact_id}/audiences": [Call(), Call(query=lambda n: {"cursor": n["audience"]})],
    "GET /v1/contacts/{contact_id}/history": [Call()],
    "GET /v1/contacts/{contact_id}/opt-ins": [Call(), Call(query=lambda n: {"cursor": n["channel"]})],
    "PUT /v1/contacts/{contact_id}/opt-ins/{channel_id}": [
        Call(body=lambda _: {"opted_in": True, "by": "contact"})
    ],
    "GET /v1/accounts": PLAIN,
    "POST /v1/contact-lists": NEW_NAME,
    "GET /v1/contact-lists": [Call(), Call(query=lambda n: {"cursor": n["list"]})],
    "GET /v1/contact-lists/{list_id}": PLAIN,
    "PATCH /v1/contact-lists/{list_id}": NEW_NAME,
    "POST /v1/contact-lists/{list_id}/archive": PLAIN,
    "POST /v1/contact-lists/{list_id}/unarchive": PLAIN,
    "GET /v1/contact-lists/{list_id}/members": [Call(), Call(query=lambda n: {"cursor": n["contact"]})],
    "POST /v1/labels": [Call(body=lambda n: {"name": n["new_name"], "team_id": n["team"]})],
    "GET /v1/labels": [
        Call(),
        Call(query=lambda n: {"cursor": n["label"]}),
        Call(query=lambda n: {"team_id": n["team"]}),
    ],
    "GET /v1/labels/{label_id}": PLAIN,
    "PATCH /v1/labels/{label_id}": [Call(body=lambda n: {"name": n["new_name"], "team_id": n["team"]})],
    "DELETE /v1/labels/{label_id}": DELETES,
    "GET /v1/labels/{label_id}/members": [Call(), Call(query=lambda n: {"cursor": n["contact"]})],
    "POST /v1/teams": NEW_NAME,
    "GET /v1/teams": [Call(), Call(query=lambda n: {"cursor": n["team"]})],
    "GET /v1/teams/{team_id}": PLAIN,
    "PATCH /v1/teams/{team_id}": NEW_NAME,
    "DELETE /v1/teams/{team_id}": DELETES,
    "POST /v1/channels": [Call(body=lambda n: {"name": n["new_name"], "phone": n["new_channel_phone"]})],
    "GET /v1/channels": [Call(), Call(query=lambda n: {"cursor": n["channel"]})],
    "GET /v1/channels/{channel_id}": PLAIN,
    "PATCH /v1/channels/{channel_id}": [
        Call(body=lambda n: {"name": n["new_name"], "phone": n["new_channel_phone"]})
    ],
    "DELETE /v1/channels/{channel_id}": DELETES,
    "POST /v1/audiences": NEW_NAME,
    "GET /v1/audiences": [Call(), Call(query=lambda n: {"cursor": n["audience"]})],
    "GET /v1/audiences/{audience_id}": PLAIN,
    "PATCH /v1/audiences/{audience_id}": NEW_NAME,
    "DELETE /v1/audiences/{audience_id}": DELETES,
    "GET /v1/audiences/{audience_id}/members": [Call(), Call(query=lambda n: {"cursor": n["contact"]})],
    "POST /v1/properties": [Call(body=lambda n: {"name": n["new_property"], "type": "string"})],
    "GET /v1/properties": [Call(), Call(query=lambda n: {"cursor": n["property"]})],
    "GET /v1/properties/{name}": PLAIN,
    "PATCH /v1/properties/{name}": [Call(body=lambda _: {"options": ["x", "z"]})],
    "DELETE /v1/properties/{name}": DELETES,
    "POST /v1/webhooks": [Call(body=_webhook)],
    "GET /v1/webhooks": [Call(), Call(query=lambda n: {"cursor": n["webhook"]})],
    "PUT /v1/webhooks/{webhook_id}": [Call(body=_webhook, creates=True)],
    "PATCH /v1/webhooks/{webhook_id}": [Call(body=lambda n: {"description": n["new_name"]})],
    "DELETE /v1/webhooks/{webhook_id}": DELETES,
    "POST /v1/webhooks/{webhook_id}/secret/rotate": PLAIN,
    "POST /v1/webhooks/{webhook_id}/test": QUEUES,
    "POST /v1/webhooks/{webhook_id}/replay": [
        Call(body=lambda _: {"since": "2020-01-01T00:00:00Z"}, statuses=(202,))
    ],
    "GET /v1/webhooks/{webhook_id}/deliveries": [
        Call(),
        Call(query=lambda _: {"state": "failed", "cursor": "9000000000", "limit": "1"}),
    ],
    "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": QUEUES,
    **KEY_CALLS,
    **PAGE_CALLS,
}
