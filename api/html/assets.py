"""The files of the pages: style sheet, scripts and icon. Their addresses change with their content."""

import hashlib
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"
# A name is looked up here and never becomes a path.
ASSETS = {
    path.relative_to(FOLDER).as_posix().replace("/", "-"): path
    for path in FOLDER.rglob("*")
    if path.suffix in {".css", ".js", ".svg"}
}
TYPES = {  # fixed: the type of .js varies by system, and a browser rejects a script of a wrong type
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@lru_cache(maxsize=64)
def url(name: str) -> str:
    """Return the address of an asset, with a part of its hash, so that it can be cached for ever."""
    digest = hashlib.sha256(ASSETS[name].read_bytes()).hexdigest()
    return f"/assets/{name}?v={digest[:12]}"
