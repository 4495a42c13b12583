"""Requests of resumable uploads."""

from tests.integration.api.service import UPSERT, Client, Response

PARTIAL = "application/partial-upload"
CSV = b"phone,name\n" + b"".join(b"+1415555%04d,Name %d\n" % (number, number) for number in range(100))


async def create(
    client: Client,
    body: bytes = b"",
    *,
    complete: bool = False,
    content_type: str = "text/csv",
    path: str = UPSERT,
    **headers: str,
) -> Response:
    """Create an upload."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"Upload-Complete": "?1" if complete else "?0", "Content-Type": content_type, **named}
    return await client.call("POST", path, data=body, headers=fields)


async def append(
    client: Client, place: str, offset: int, body: bytes = b"", *, complete: bool = False, **headers: str
) -> Response:
    """Append to an upload."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {
        "Upload-Complete": "?1" if complete else "?0",
        "Upload-Offset": f"{offset}",
        "Content-Type": PARTIAL,
        **named,
    }
    return await client.call("PATCH", place, data=body, headers=fields)


async def offset_of(client: Client, place: str) -> int:
    """Ask for the offset of an upload."""
    response = await client.call("HEAD", place)
    assert response.status == 200, response
    return int(response.headers["Upload-Offset"])
