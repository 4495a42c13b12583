"""The view of an API key, for its account and for the operator."""

from dataclasses import asdict

from schemas.wire.security.key_bodies import AccountKey
from storage.access.api_keys import KeyRow


def key_view(row: KeyRow) -> AccountKey:
    """Return a key without its secret."""
    return AccountKey(**asdict(row))
