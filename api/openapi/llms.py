"""The API as a short text for language models (llmstxt.org), made from the OpenAPI document."""

from typing import Any

ABOUT = """\
Send a bulk request to `POST /v1/bulk/{operation}` with `Authorization: Bearer KEY` and an `Idempotency-Key`.
It returns 202 with a job. Wait with `GET /v1/jobs/{id}?wait=30` until `finished_at` is set, then read
`GET /v1/jobs/{id}/errors`. After a 429 or 503, wait for `Retry-After` seconds and send the same request.
"""


def llms_text(document: dict[str, Any]) -> str:
    """Return what the API is, how to begin, and every endpoint with its summary."""
    summary = document["info"]["description"].partition("\n")[0]
    endpoints = (
        f"- [{method.upper()} {path}](openapi.json): {operation['summary']}\n"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f"# {document['info']['title']}\n\n> {summary}\n\n{ABOUT}\n"
        "## API\n\n- [OpenAPI 3.1](openapi.json): every parameter, body, response and error\n"
        "- [Swagger UI](docs): requests to try in a browser\n\n"
        f"## Endpoints\n\n{''.join(endpoints)}"
    )
