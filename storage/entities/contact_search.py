"""Pages of contacts, the search in names and phones, and its index, which an operator can switch on.

The index makes a search for a rare text fast in a large account. It costs a load processor time for each row,
so it is off by default: see docs/design.md.
"""

import unicodedata
from typing import NamedTuple

import asyncpg

from schemas.ids import MAX_NUMBER
from schemas.items.phone import normaliser_for
from storage.entities import contacts
from storage.entities.accounts import Account
from storage.entities.contact_columns import ContactRow
from storage.postgres.named_queries import Db, load
from storage.postgres.pool import Conn

PUNCTUATION = frozenset("+-().,/·")  # allowed in a phone number, besides spaces and dashes
COUNTED = 1_000  # contacts that the total of a search counts beyond the page
NEWEST = 20_000  # contacts that a search reads from the newest on, before it asks an index
CANDIDATES = 10_000  # contacts that it reads by an index
TRIGRAM = 3  # the index helps if this many letters or digits follow each other
INDEX_LOCK = 0x62756C73  # of the session that changes the index
MISSING_EXTENSION = (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError)

QUERIES = load(__name__, {"lock": INDEX_LOCK, "max_id": MAX_NUMBER})


class IndexRefused(Exception):
    """The index was not changed. The message says why, and what to do."""


class IndexState(NamedTuple):
    """The index of the search: whether searches use it, and its size in bytes."""

    valid: bool
    bytes: int


async def page(
    db: Db, account: Account, *, search: str | None, size: int, skip: int = 0, before: int | None = None
) -> tuple[list[ContactRow], int]:
    """Return a page of contacts, newest first, without the first `skip`, and the total number of contacts.

    Only contacts with an id below `before`, if given, are on the page, and in the total of a search.
    `search` selects the contacts whose name or phone contains this text. A phone number also matches in the
    national format of the account's region. A text of + and digits selects the phones that start with it.
    The total of a search counts at most COUNTED contacts beyond the page, so that it need not read them all.
    """
    if search:
        found = await _find(db, account, search, before, skip + size + COUNTED)
        return await contacts.by_ids(db, account.id, found[skip : skip + size]), len(found)
    records = await QUERIES.page(db, account_id=account.id, size=size, skip=skip, before=before)
    return [ContactRow.of(record) for record in records if record["id"] is not None], records[0]["total"]


async def switch_index_on(conn: Conn) -> None:
    """Build the index of the search, while contacts are read and changed. Does nothing if it is there.

    Remains of an index whose building ended early are replaced. Raises IndexRefused, also where PostgreSQL
    lacks the extensions or the role lacks a privilege.
    """
    await _lock_index(conn)
    state = await index_state(conn)
    if state and state.valid:
        return
    try:
        await QUERIES.create_extensions(conn)
        await QUERIES.drop_index(conn)
        await QUERIES.create_index(conn)
    except MISSING_EXTENSION as error:
        raise IndexRefused(f"{error.args[0]}: install PostgreSQL's contrib modules on the server") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise IndexRefused(f"{error.args[0]}: use the owner of the database in DATABASE_URL") from error


async def switch_index_off(conn: Conn) -> None:
    """Drop the index of the search. Does nothing if there is none. Raises IndexRefused."""
    await _lock_index(conn)
    await QUERIES.drop_index(conn)


async def index_state(conn: Conn) -> IndexState | None:
    """Return the state of the index, or None if there is none."""
    row = await QUERIES.index_state(conn)
    return IndexState(row["valid"], row["bytes"]) if row else None


async def _lock_index(conn: Conn) -> None:
    if not await QUERIES.lock_index(conn):
        raise IndexRefused("another command changes the index: wait until it has ended")


async def _find(db: Db, account: Account, text: str, before: int | None, most: int) -> list[int]:
    """Return the ids of the contacts before an id that a text finds, newest first, at most `most`."""
    digits = _digits(text)
    start = f"+{digits}" if digits and text.startswith("+") else None
    phone = normaliser_for(account.region)(text) if digits and not start else None
    parameters = {
        "name_like": None if start else _pattern(text),
        "phone_like": f"{start}%" if start else digits and f"%{digits}%",
        "phone": phone if isinstance(phone, str) else None,
        "before": MAX_NUMBER if before is None else before,
    }
    found: list[int] | None = await QUERIES.search(
        db,
        account_id=account.id,
        **parameters,
        phone_start=start,
        by_index=_has_trigram(text) and (not digits or len(digits) >= TRIGRAM),
        candidates=CANDIDATES,
        newest=NEWEST,
        most=most,
    )
    if found is None:
        found = await QUERIES.search_all(db, account_id=account.id, **parameters, most=most)
    return found


def _pattern(text: str) -> str:
    """Return the LIKE pattern of the names that contain a text. Wildcards in the text are escaped."""
    for character in ("\\", "%", "_"):
        text = text.replace(character, "\\" + character)
    return f"%{text}%"


def _has_trigram(text: str) -> bool:
    """Return whether the index of trigrams can find a text. It would read all contacts for any other."""
    words = "".join(character if character.isalnum() else " " for character in text).split()
    return any(len(word) >= TRIGRAM for word in words)


def _digits(text: str) -> str | None:
    """Return the digits of a phone number, of any script; None for a text without digits, or with letters."""
    digits = ""
    for character in text:
        if (digit := unicodedata.decimal(character, None)) is not None:
            digits += str(digit)
        elif character not in PUNCTUATION and unicodedata.category(character) not in ("Zs", "Pd"):
            return None
    return digits or None
