"""A client with the key of the operator, which checks each response against the OpenAPI document."""

import json
import re
from functools import cache
from typing import Any

import aiohttp
import jsonschema_rs

from api.openapi.build import build
from api.routes import OPERATOR_ROUTES, ROUTES
from schemas.settings import Settings
from tests.integration.api.service import Response

OPERATOR_KEY = "op_" + "k" * 40
V1 = "/operator/v1"


class OperatorClient:
    """Sends requests with the key of the operator."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(self, method: str, path: str, **options: Any) -> Response:
        """Send a request to a path under /operator/v1. The response fits the document."""
        headers = {"Authorization": f"Bearer {OPERATOR_KEY}"} | options.pop("headers", {})
        async with self._session.request(method, V1 + path, headers=headers, **options) as answer:
            response = Response(answer.status, answer.headers, await answer.read())
        check(method, V1 + path.partition("?")[0], response)
        return response

    async def get(self, path: str) -> Any:
        """Get a path under /operator/v1 as JSON; asserts a 200."""
        response = await self.call("GET", path)
        assert response.status == 200, response.body
        return response.json


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document with the operator's routes."""
    return build(ROUTES + OPERATOR_ROUTES, Settings())


def check(method: str, path: str, response: Response) -> None:
    """Assert that the document describes this response."""
    (known,) = [
        known
        for known in document()["paths"]
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path) and known.startswith(V1)
    ]
    described = document()["paths"][known][method.lower()]["responses"][str(response.status)]
    if "$ref" in described:
        described = document()["components"]["responses"][described["$ref"].rpartition("/")[2]]
    schema = described["content"]["application/json"]["schema"] | {"components": document()["components"]}
    errors = jsonschema_rs.Draft202012Validator(schema).iter_errors(json.loads(response.body))
    assert [error.message for error in errors] == []
