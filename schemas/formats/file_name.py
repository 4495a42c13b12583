"""The name of a file at the client: in a form, or in the header Content-Disposition (RFC 6266)."""

import re
from email.message import Message
from typing import Final

MAX_FILE_NAME: Final = 255  # characters
_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)


def file_name_in(content_disposition: str | None) -> str | None:
    """Return the base name in `attachment; filename=…` or `filename*=…`; None: there is none."""
    if content_disposition is None:
        return None
    header = Message()
    header["Content-Disposition"] = " ".join(content_disposition.split())  # a line break would end the header
    return base_name(header.get_filename())


def base_name(path: str | None) -> str | None:
    """Return a file name without folders and control characters, at most MAX_FILE_NAME characters of it.

    Returns None if nothing is left.
    """
    name = _FOLDERS.sub("", path or "").encode("utf-8", "replace").decode()
    kept = "".join(character for character in name if character.isprintable()).strip()
    return kept[:MAX_FILE_NAME].strip() or None
