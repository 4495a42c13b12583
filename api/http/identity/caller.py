"""Who makes a request, and from which address."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import web

from api.http.context import API, REQUEST_ID
from schemas.callers import ALL_SCOPES, Caller, CallerKind
from storage.access.api_keys import Holder

FORWARDED = "X-Forwarded-For"
LONGEST_AGENT = 100


def caller_of(request: web.Request, holder: Holder | None, *, session: bool) -> Caller:
    """Return the caller of a request with a valid key; without a holder, it is that of the operator."""
    address = client_address(request, request.app[API].ctx.settings.trusted_proxies)
    agent = request.headers.get("User-Agent", "")[:LONGEST_AGENT]
    return Caller(
        kind=CallerKind.KEY if holder else CallerKind.OPERATOR,
        key_id=holder.key_id if holder else None,
        scopes=holder.scopes if holder else ALL_SCOPES,
        session=session,
        address=str(address) if address else None,
        # bytes that are no text are lone surrogates, which JSON in PostgreSQL cannot hold
        user_agent="".join(mark if mark.isprintable() else "?" for mark in agent) or None,
        request_id=request[REQUEST_ID],
    )


def client_address(request: web.Request, trusted_proxies: int) -> IPv4Address | IPv6Address | None:
    """Return the address of the client; None: unknown.

    Each of the trusted proxies has added the address that it saw to the right of X-Forwarded-For. What stands
    further left was written by the client.
    """
    forwarded = [entry.strip() for entry in ",".join(request.headers.getall(FORWARDED, [])).split(",")]
    if trusted_proxies and len(forwarded) >= trusted_proxies:
        address = _read(forwarded[-trusted_proxies])
        if address is not None:
            return address
    return _read(request.remote or "")


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
