"""Shared parts of the OpenAPI document: tags, path parameters, headers, keys, errors."""

from typing import Any

from schemas.ids import show_id
from schemas.settings import Settings
from schemas.webhooks.urls import WEBHOOK_ID

# The quoted string of RFC 8941, or a bare value without a quotation mark at either end.
IDEMPOTENCY_KEY = r'^("([ !#-\[\]-~]|\\["\\]){1,255}"|[!#-~]([ -~]{0,253}[!#-~])?)$'
ULID = "[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}"

PARTNERS = ("Partners", "The bulk endpoints of the four partners' APIs.")
SERVICE = ("Service", "The service itself; no key is needed.")

# Tags in their order on the page, by the module of the handlers.
TAGS = {
    "bulk": ("Bulk", "The native endpoint: an operation, its items, a job."),
    "uploads": ("Uploads", "Bulk requests whose bytes arrive in several requests."),
    "jobs": ("Jobs", "The state and the results of bulk requests."),
    "events": ("Events", "The changes of jobs as they happen, as server-sent events."),
    "peach": PARTNERS,
    "whippy": PARTNERS,
    "kirim": PARTNERS,
    "oliai": PARTNERS,
    "accounts": ("Accounts", "The account of the key."),
    "keys": ("Keys", "The keys of the account: create, rotate, revoke."),
    "contacts": ("Contacts", "Single contacts, and what is stored about them."),
    "memberships": ("Memberships", "The contacts of lists, labels and audiences; the opt-ins of contacts."),
    "contact_lists": ("Contact lists", "Named sets of contacts."),
    "labels": ("Labels", "The labels of contacts."),
    "audiences": ("Audiences", "Sets of contacts to send to."),
    "channels": ("Channels", "Channels that contacts are opted in to."),
    "teams": ("Teams", "Labels and contacts belong to teams."),
    "webhooks": ("Webhooks", "Messages to an endpoint of yours when a job ends or is throttled."),
    "properties": ("Properties", "The keys that the properties of a contact may have."),
    "operator": (
        "Operator",
        "All accounts, their keys and jobs, workers and servers; needs the operator's key.",
    ),
    "health": SERVICE,
    "reference": SERVICE,
}


def _numbered(prefix: Any, noun: str) -> dict[str, Any]:
    """Return the path parameter of a resource with a number as its id."""
    return {
        "description": f"The {noun}: its id, or its number.",
        "schema": {"type": "string", "pattern": f"^({prefix}_{ULID}|[0-9]{{1,19}})$"},
        "example": show_id(prefix, 1),
    }


def _random(prefix: str, description: str) -> dict[str, Any]:
    """Return the path parameter of what has no number."""
    return {
        "description": description,
        "schema": {"type": "string", "pattern": f"^{prefix}_{ULID}$"},
        "example": f"{prefix}_01KAJ0Q5N4Q3S8Z6X2V7T1R9WC",
    }


PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "job_id": _random("job", "The job."),
    "phone_number_id": {
        "description": "The account's own phone_number_id.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 100},
        "example": "106540352242922",
    },
    "upload_id": _random("upl", "The upload."),
    "erasure_id": _random("ers", "The erasure."),
    "contact_id": _numbered("ctc", "contact"),
    "label_id": _numbered("lbl", "label"),
    "list_id": _numbered("lst", "contact list"),
    "audience_id": _numbered("aud", "audience"),
    "team_id": _numbered("team", "team"),
    "channel_id": {
        "description": "The channel.",
        "schema": {"type": "string", "format": "uuid"},
        "example": "0193f0a0-0000-7000-8000-000000000001",
    },
    "webhook_id": {
        "description": "The webhook: an id of your own, or one of ours.",
        "schema": {"type": "string", "pattern": WEBHOOK_ID},
        "example": "crm",
    },
    "delivery_id": _random("msg", "The delivery: the `webhook-id` of its message."),
    "account": {
        "description": "The account: its id, or its name.",
        "schema": {"type": "string", "minLength": 1},
        "example": "org_1",
    },
    "key": {
        "description": "The key: its id, or its name.",
        "schema": {"type": "string", "minLength": 1},
        "example": "key_0123456789ab",
    },
    "name": {
        "description": "The property.",
        "schema": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$"},
        "example": "tier",
    },
}

# Descriptions of the query parameters that several endpoints have.
COMMON = {"limit": "The largest number of entries.", "cursor": "The `next_cursor` of another page."}

REQUEST_HEADERS: dict[str, dict[str, Any]] = {
    "Prefer": {
        "description": "`wait=S` (RFC 7240, at most 60) holds the response until the job ends: then "
        "200, or 207 if an item failed; 202 if the time runs out. `respond-async` does not wait, even if the "
        "account's default is to wait. Anything else is ignored.",
        "schema": {"type": "string"},
        "example": "wait=10",
    },
    "Idempotency-Key": {
        "description": "A text of your own, bare or as a quoted string, kept for 24 hours. The same key with "
        "the same request returns the same job; with another request, 422 `idempotency_key_reuse`; while the "
        "first one is still received, 409 `idempotency_in_progress`.",
        "schema": {"type": "string", "pattern": IDEMPOTENCY_KEY},
    },
    "Upload-Complete": {
        "description": "`?1` if the last byte is in this request, or else `?0`.",
        "required": True,
        "schema": {"type": "string", "enum": ["?0", "?1"]},
    },
    "Upload-Offset": {
        "description": "The number of the first byte of this request, as HEAD returns it.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999},
    },
    "Upload-Length": {
        "description": "The number of all bytes of the upload, if it is known.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999},
    },
    "Upload-Draft-Interop-Version": {
        "description": "`9`: the client understands 104 responses of this version of the draft.",
        "schema": {"type": "integer"},
    },
    "Last-Event-ID": {
        "description": "The `id` of the last event that the client has: the stream goes on after it.",
        "schema": {"type": "string"},
    },
}

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "The id of the request, also in the logs and on the job.",
        "required": True,
        "schema": {"type": "string", "pattern": "^req_[0-9A-HJKMNP-TV-Z]{26}$"},
    },
    "RateLimit-Policy": {
        "description": "The limit: how many requests (q) in how many seconds (w). Absent if there is none.",
        "schema": {"type": "string"},
        "example": '"requests";q=30;w=60',
    },
    "RateLimit": {
        "description": "The remaining requests (r), and the seconds (t) until all are available again.",
        "schema": {"type": "string"},
        "example": '"requests";r=29;t=60',
    },
    "X-RateLimit-Limit": {"description": "The same as q.", "schema": {"type": "integer"}},
    "X-RateLimit-Remaining": {"description": "The same as r.", "schema": {"type": "integer"}},
    "X-RateLimit-Reset": {"description": "The same as t.", "schema": {"type": "integer"}},
    "Retry-After": {
        "description": "Seconds after which to send the request again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "`Bearer`.", "required": True, "schema": {"type": "string"}},
    "Location": {
        "description": "The path of the new resource, or of the job.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Preference-Applied": {
        "description": "The wait that was applied.",
        "required": True,
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    },
    "Bulklane-Job": {
        "description": "The job that ended.",
        "required": True,
        "schema": {"type": "string", "pattern": f"^job_{ULID}$"},
    },
    "Idempotent-Replayed": {
        "description": "`true` if an earlier request with this Idempotency-Key made the job.",
        "schema": {"type": "string", "const": "true"},
    },
}
LIMITS = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <key>`"},
    "authorization": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Authorization: <key>`",
    },
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "`x-api-key: <key>`"},
    "x-whippy-key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-WHIPPY-KEY",
        "description": "`X-WHIPPY-KEY: <key>`",
    },
}

OPERATOR_SCHEME = "operator"
OPERATOR_SCHEMES: dict[str, dict[str, Any]] = {
    OPERATOR_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "`Authorization: Bearer <OPERATOR_KEY>`",
    }
}

# `map.<column>`: OpenAPI has no parameters with free names, except as the members of an object.
RENAMES: dict[str, Any] = {
    "name": "map",
    "in": "query",
    "description": "`map.<column>=<field>` (CSV only) reads a column of another name as a field, like "
    "`map.Mobile=phone`.",
    "required": False,
    "style": "form",
    "explode": True,
    "schema": {
        "type": "object",
        "patternProperties": {"^map\\..+$": {"type": "string"}},
        "additionalProperties": False,
    },
}

# The content types of a body besides JSON.
FILES: dict[str, dict[str, Any]] = {
    "application/x-ndjson": {"schema": {"type": "string", "description": "One item per line."}},
    "text/csv": {"schema": {"type": "string", "description": "A header row, then one row per item."}},
    "application/partial-upload": {
        "schema": {"type": "string", "format": "binary", "description": "The next bytes of the upload."}
    },
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {
                "file": {"type": "string", "format": "binary", "description": "One file, as above."}
            },
            "required": ["file"],
        }
    },
}

# The component and the meaning of each error status; all of them have the same body.
ERRORS: dict[int, tuple[str, str]] = {
    400: ("Malformed", "The body is not JSON, or not of its declared format or encoding."),
    401: ("NotAuthenticated", "The request has no key, or its key is not valid."),
    403: ("NotPermitted", "The key has not the scope that the request needs."),
    404: ("NotFound", "The resource does not exist or belongs to another account; the response is the same."),
    409: ("Conflict", "The state of the resource does not allow the request."),
    413: (
        "TooLarge",
        "The body is too large: a JSON body has at most {max_json_bytes} bytes and {max_json_items} items, "
        "a file at most {max_upload_bytes} bytes, both decompressed.",
    ),
    415: ("Unsupported", "The content type, its charset or the content encoding is not supported."),
    422: ("NotAcceptable", "The request is well-formed, but not acceptable; `errors` has all problems."),
    429: ("RateLimited", "Too many requests, or too many unfinished jobs; nothing was stored."),
    500: ("Internal", "An unexpected error of the service, which is logged."),
    503: (
        "Unavailable",
        "PostgreSQL does not respond or is busy: a lock or a connection was not free in time, or a statement "
        "took too long. Nothing was stored.",
    ),
}


def error_responses(envelope: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the components of all error responses, with the limits of the settings."""
    limits = settings.model_dump(include={"max_json_bytes", "max_json_items", "max_upload_bytes"})
    return {
        name: {
            "description": text.format(**limits),
            "headers": refer_headers(["X-Request-Id", *ERROR_HEADERS.get(status, ())]),
            "content": {"application/json": {"schema": envelope}},
        }
        for status, (name, text) in ERRORS.items()
    }


ERROR_HEADERS: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After", *LIMITS),
    503: ("Retry-After",),
}


def refer_headers(names: list[str]) -> dict[str, Any]:
    """Return references to the components of headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
