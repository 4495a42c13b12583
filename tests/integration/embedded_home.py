"""Homes of embedded servers for tests."""

from pathlib import Path

from embedded.servers import Home, open_scratch


def make_home(path: Path) -> Home:
    """Make a scratch home; any user can enter the parent folders that are made."""
    missing = [parent for parent in path.parents if not parent.exists()]
    path.mkdir(parents=True)
    for parent in missing:
        parent.chmod(0o711)
    return open_scratch(path)
