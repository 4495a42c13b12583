"""Fill the table of contacts quickly, by one INSERT … SELECT."""

from collections.abc import Iterable

from bench.lab.rows import AREA_CODES, METADATA, NUMBERS_OF_AN_AREA, Row, contact_rows
from bench.lab.service import Service

STEP = 4  # phones lie between those of the crowd: new rows have numbers of their own there
FIRST = ("Ana", "Rui", "Priya", "Wei", "Olga", "Juan", "Aisha", "Kofi", "Mei", "Lars", "Nina", "Omar", "Zoe")
LAST = (
    "Sharma",
    "Silva",
    "Chen",
    "Ivanova",
    "Garcia",
    "Khan",
    "Mensah",
    "Larsen",
    "Okafor",
    "Tanaka",
    "Novak",
)
FILL = """
INSERT INTO contacts (account_id, phone, name, email, language, metadata)
SELECT $1, '+1' || ($4::text[])[1 + n * $3::bigint / $5] || (2000000 + n * $3 % $5),
    ($6::text[])[1 + n % cardinality($6::text[])] || ' ' ||
    ($7::text[])[1 + n % cardinality($7::text[])] || ' ' || n,
    'person' || n || '@example.com', 'en-US', $8::jsonb
FROM generate_series(0, $2::bigint - 1) n
"""


async def fill(service: Service, account_id: int, contacts: int) -> None:
    """Insert `contacts` contacts of an account, and let PostgreSQL tidy up and gather statistics."""
    areas = list(AREA_CODES)
    conn = await service.connect()
    await conn.execute(
        FILL,
        account_id,
        contacts,
        STEP,
        areas,
        NUMBERS_OF_AN_AREA,
        list(FIRST),
        list(LAST),
        METADATA,
        timeout=1800,
    )
    await conn.execute("VACUUM ANALYZE contacts", timeout=1800)
    await conn.close()
    await service.rest()


def newcomers(contacts: int, size: int, *, shift: int) -> list[Row]:
    """Return new contacts whose phones lie between those of a crowd of `contacts`, evenly.

    `shift` is 1 to STEP - 1: rows with different shifts have no phone in common.
    """
    return contact_rows(_numbers(contacts, size, shift))


def _numbers(contacts: int, size: int, shift: int) -> Iterable[int]:
    return (n * contacts // size * STEP + shift for n in range(size))
