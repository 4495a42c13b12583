"""The example requests of the four partners, unchanged. The test replaces names in angle brackets."""

import re
from typing import Any

from tests.acceptance.raw_http import Response, send
from tests.acceptance.service import Service

PHONE_NUMBER_ID = "106540352242922"

PREFERENCES = """
POST /api/v1/contacts/bulk_update_communication_preferences HTTP/1.1
Authorization: <api-key>
Content-Type: application/json

{
    "phone_numbers": [
        "9876543210",
        "+919876543211"
    ],
    "communication_preference": "mute_all"
}
"""

LIST = """
PUT /v1/contacts/lists/<list>/contacts HTTP/1.1
X-WHIPPY-KEY: <api-key>
Content-Type: application/json

{
    "action": "add",
    "contacts": [
        {
            "address": {
                "address_line_one": "1 Main Street",
                "address_line_two": "Flat 2",
                "city": "Austin",
                "state": "TX",
                "post_code": "73301",
                "country": "US"
            },
            "birth_date": {"day": 17, "month": 5, "year": 1990},
            "default_channel_id": "<channel>",
            "email": "ada@example.com",
            "external_id": "crm-1",
            "language": "en",
            "name": "Ada Lovelace",
            "phone": "+14155552671",
            "properties": {"plan": "gold"}
        },
        {"phone": "+14155552672"}
    ],
    "opt_in_to": [{"id": "<channel>"}, {"phone": "+14155550100"}],
    "opt_in_to_all_channels": false
}
"""

LABEL = """
POST /v1/106540352242922/contacts/bulk_label HTTP/1.1
Authorization: Bearer <api-key>
Content-Type: application/json

{ "contact_ids": [ "<contact>" ], "label_id": "<label>", "operation": "attach" }
"""

CREATE = """
POST /v1/contacts HTTP/1.1
Authorization: Bearer <api-key>
Content-Type: application/json

{
"name": "Priya Sharma",
"phoneNumber": "+919876543210",
"language": "hi-IN",
"metadata": { "city": "Mumbai", "tier": "premium" }
}
"""

UPDATE = """
PATCH /v1/contacts/<contact> HTTP/1.1
Authorization: Bearer <api-key>
Content-Type: application/json

{
"language": "en-IN",
"metadata": { "city": "Delhi", "tier": "standard" }
}
"""

BULK = """
POST /v1/contacts/bulk HTTP/1.1
Authorization: Bearer <api-key>
Content-Type: application/json

{
"contacts": [
{
"name": "Priya Sharma",
"phoneNumber": "+919876543210",
"language": "hi-IN",
"metadata": { "city": "Mumbai" }
},
{
"name": "Ravi Kumar",
"phoneNumber": "+919123456789",
"language": "en-IN"
}
]
}
"""

BULK_DELETE = """
POST /v1/contacts/bulk-delete HTTP/1.1
Authorization: Bearer <api-key>
Content-Type: application/json

{
"contactIds": ["clxxx123", "clxxx456", "clxxx789"]
}
"""

ADD_TO_AUDIENCE = """
POST /v1/contacts/add-to-audience HTTP/1.1
Authorization: Bearer <api-key>
Content-Type: application/json

{
"contactIds": ["clxxx123", "clxxx456"],
"audienceId": "<audience>"
}
"""

GET = """
GET <path> HTTP/1.1
Authorization: Bearer <api-key>
"""

DELETE = """
DELETE /v1/contacts/<contact> HTTP/1.1
Authorization: Bearer <api-key>
"""

POST = """
POST <path> HTTP/1.1
Authorization: Bearer <api-key>
Content-Type: application/json

<body>
"""


class Caller:
    """Sends the requests of the partners with the key of one account."""

    def __init__(self, service: Service, key: str) -> None:
        self._url = service.dev["url"]
        self._key = key

    async def send(self, request: str, *, wait: bool = False, **names: str) -> Response:
        """Send a request, with each <name> replaced; `wait` adds `Prefer: wait=10`."""
        for name, value in {"api-key": self._key, **names}.items():
            request = request.replace(f"<{name}>", value)
        assert not re.search(r"<[a-z-]+>", request), request
        return await send(self._url, request, **({"Prefer": "wait=10"} if wait else {}))

    async def make(self, path: str, body: str) -> Any:
        """Create a resource with POST; return it."""
        response = await self.send(POST, path=path, body=body)
        assert response.status == 201, response.body
        return response.json

    async def get(self, path: str) -> Any:
        """GET a path; return its JSON."""
        response = await self.send(GET, path=path)
        assert response.status == 200, response.body
        return response.json

    async def ended(self, accepted: Response) -> Any:
        """Wait for the end of the job of a 202; return the job."""
        assert accepted.status == 202, accepted.body
        assert accepted.headers["location"] == f"/v1/jobs/{accepted.json['id']}"
        job = await self.get(f"{accepted.headers['location']}?wait=10")
        assert job["finished_at"], job
        return job
