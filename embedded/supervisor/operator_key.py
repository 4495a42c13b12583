"""The key of the operator: that of the settings, or one that the first start makes and later starts keep."""

import secrets

from embedded.servers import Home
from embedded.supervisor.dev_file import read_private, replace_private


def obtain_operator_key(home: Home, configured: str | None) -> str:
    """Return OPERATOR_KEY if it is set, otherwise the key of the last start, otherwise a new one."""
    if configured:
        return configured
    path = home.run / "operator_key"
    key = read_private(path)
    if key is None:
        key = f"op_{secrets.token_urlsafe(32)}"
        replace_private(path, f"{key}\n")
    return key
