"""The calls of the routes of keys, for the tests of tenants."""

from tests.integration.api.page_calls import Call

KEY_CALLS: dict[str, list[Call]] = {
    "POST /v1/keys": [Call(body=lambda n: {"name": n["new_name"]})],
    "GET /v1/keys/{key}": [Call()],
    "DELETE /v1/keys/{key}": [Call(deletes=True)],
    "POST /v1/keys/{key}/rotate": [Call(body=lambda _: {})],
}
