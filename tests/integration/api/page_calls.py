"""A call of a route, and the calls of the routes of pages, for the tests of tenants."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Names = Mapping[str, str]  # by kind; from Belongings.names and from FRESH in http/test_tenants.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A valid request of a route, built from names. `deletes`: it deletes what it names.

    `statuses`: the statuses that the owner of all named things may get. `creates`: an id in the path that the
    account does not have becomes its own.
    """

    body: Callable[[Names], Any] = lambda _: None
    query: Callable[[Names], Mapping[str, str]] = lambda _: {}
    headers: Mapping[str, str] = field(default_factory=dict)
    deletes: bool = False
    creates: bool = False
    statuses: tuple[int, ...] = (200, 201, 204)


SEEN = Call(statuses=(303,))  # a form of a page
NAME_FORM = Call(body=lambda n: {"name": n["new_name"]}, statuses=(303,))
LABEL_FORM = Call(body=lambda n: {"name": n["new_name"], "team_id": n["team"]}, statuses=(303,))
HOOK_FORM = Call(
    body=lambda _: {"url": "https://webhook.invalid/", "event.job.failed": "on"}, statuses=(303,)
)
HOOK = "/webhooks/{webhook_id}"
OWNERS = ("/lists/{list_id}", "/labels/{label_id}", "/audiences/{audience_id}")

PAGE_CALLS: dict[str, list[Call]] = {
    "GET /": [
        Call(query=lambda _: {"limit": "1"}),
        Call(query=lambda n: {"limit": "1", "cursor": n["job"]}),
        Call(query=lambda n: {"limit": "1", "name": n["name"], "state": "completed,completed_with_errors"}),
    ],
    "GET /jobs/{job_id}": [
        Call(),
        Call(query=lambda n: {"code": "phone_too_short", "text": n["name"]}),
        Call(query=lambda _: {"show": "results", "outcome": "created"}),
    ],
    "GET /jobs/cancel": [Call(query=lambda n: {"name": n["name"]})],
    "GET /jobs/retry": [Call(query=lambda n: {"name": n["name"]})],
    "POST /jobs/cancel": [Call(body=lambda n: {"name": n["name"], "expected": "0"})],
    "POST /jobs/retry": [Call(body=lambda n: {"name": n["name"], "expected": "0"})],
    "POST /jobs/{job_id}/cancel": [SEEN],
    "POST /jobs/{job_id}/retry": [SEEN],
    "POST /jobs/{job_id}/undo": [SEEN],
    "GET /upload": [Call(), Call(query=lambda n: {"check": n["job"]})],
    "POST /upload/preview": [
        Call(body=lambda _: b"phone\n1\n", query=lambda _: {"operation": "contacts.upsert", "size": "8"}),
    ],
    "POST /sign-out": [SEEN],
    "GET /contacts": [
        Call(),
        Call(query=lambda n: {"search": n["name"]}),
        Call(query=lambda n: {"search": n["phone"], "cursor": n["contact"]}),
    ],
    "GET /contacts/{contact_id}": [Call(), Call(query=lambda n: {"jobs": f"{n['job']}.1"})],
    "GET /lists": [Call(), Call(query=lambda n: {"cursor": n["list"], "archived": "true"})],
    "GET /labels": [Call(), Call(query=lambda n: {"team_id": n["team"]})],
    "GET /audiences": [Call(), Call(query=lambda n: {"cursor": n["audience"]})],
    "GET /channels": [Call(), Call(query=lambda n: {"cursor": n["channel"]})],
    "GET /properties": [Call(), Call(query=lambda n: {"cursor": n["property"]})],
    "GET /teams": [Call(), Call(query=lambda n: {"cursor": n["team"]})],
    **{f"GET {path}": [Call(), Call(query=lambda n: {"cursor": n["contact"]})] for path in OWNERS},
    **{f"POST {path}": [NAME_FORM] for path in ("/lists", "/audiences", "/teams", *OWNERS)},
    "POST /labels": [LABEL_FORM],
    "POST /labels/{label_id}": [LABEL_FORM],
    "POST /channels": [
        Call(body=lambda n: {"name": n["new_name"], "phone": n["new_channel_phone"]}, statuses=(303,))
    ],
    "POST /properties": [Call(body=lambda n: {"name": n["new_property"], "type": "date"}, statuses=(303,))],
    "GET /webhooks/{webhook_id}": [
        Call(),
        Call(query=lambda _: {"state": "failed", "cursor": "1000", "replayed": "1"}),
    ],
    "POST /webhooks": [HOOK_FORM],
    f"POST {HOOK}": [HOOK_FORM],
    f"POST {HOOK}/state": [Call(body=lambda _: {"state": "on"}, statuses=(303,))],
    f"POST {HOOK}/delete": [Call(deletes=True, statuses=(303,))],
    f"POST {HOOK}/secret": [Call()],
    f"POST {HOOK}/replay": [Call(body=lambda _: {"since": "2026-01-01T00:00:00"}, statuses=(303,))],
    f"POST {HOOK}/secret/rotate": [SEEN],
    f"POST {HOOK}/test": [SEEN],
    f"POST {HOOK}/deliveries/{{delivery_id}}/replay": [Call(statuses=(303, 409))],  # 409: it has not ended
    "POST /lists/{list_id}/archive": [SEEN],
    "POST /lists/{list_id}/unarchive": [SEEN],
}
