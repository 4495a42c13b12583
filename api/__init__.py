"""The HTTP API, built on aiohttp."""
