"""Headers of every response that keep browsers and caches from doing harm with it."""

from aiohttp import web

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",  # a client's own text in an export is not run as HTML
    "Cache-Control": "no-store",  # responses hold personal data
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "bulklane",  # without versions
}


async def add_security_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Add the headers that the handler has not set, when the response starts."""
    del request
    headers = response.headers
    for name, value in SECURITY_HEADERS.items():
        if name == "Server" or name not in headers:
            headers[name] = value
