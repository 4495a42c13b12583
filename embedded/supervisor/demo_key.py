"""The demo account's key, kept so that it stays the same from start to start."""

from embedded.servers import Home
from embedded.supervisor.dev_file import replace_private
from embedded.supervisor.options import EnsureDemoKey


async def obtain(home: Home, database_url: str, ensure: EnsureDemoKey) -> str:
    """The key of the last start if it is still valid, else a new one."""
    known = _known(home)
    key = await ensure(database_url, known)
    if key != known:
        replace_private(home.run / "demo_key", f"{key}\n")
    return key


def _known(home: Home) -> str | None:
    try:
        return (home.run / "demo_key").read_text().strip() or None
    except FileNotFoundError:
        return None
