"""The rows of the benchmarks, as records for COPY and as bodies of requests."""

import json
from collections.abc import Iterable, Sequence

COLUMNS = ("phone", "name", "email", "language", "metadata")
METADATA = json.dumps({"city": "San Francisco", "tier": "premium"})
AREA_CODES = ("415", "212", "310", "312", "617", "713")
NUMBERS_OF_AN_AREA = 8_000_000  # 200-0000 to 999-9999

Row = tuple[str, str, str, str, str]


def contact_rows(numbers: Iterable[int], *, suffix: str = "") -> list[Row]:
    """Return the contacts with these numbers. Another suffix means the same contacts with other names."""
    return [(phone_of(n), f"Name {n}{suffix}", f"person{n}@example.com", "en-US", METADATA) for n in numbers]


def phone_of(number: int) -> str:
    """Return the valid phone of a contact."""
    area, rest = divmod(number, NUMBERS_OF_AN_AREA)
    return f"+1{AREA_CODES[area]}{2_000_000 + rest}"


def small_jobs(jobs: int, size: int) -> list[list[Row]]:
    """Return the rows of jobs with different contacts."""
    return [contact_rows(range(number * size, (number + 1) * size)) for number in range(jobs)]


def ndjson(rows: Iterable[Row]) -> bytes:
    """Return contacts as NDJSON."""
    return b"\n".join(
        b'{"phone": "%b", "name": "%b", "email": "%b", "language": "%b", "metadata": %b}'
        % tuple(text.encode() for text in row)
        for row in rows
    )


def references(rows: Sequence[Row]) -> bytes:
    """Return NDJSON that names the contacts by their phones."""
    return b"\n".join(b'{"phone": "%b"}' % row[0].encode() for row in rows)


def json_array(rows: Sequence[Row]) -> bytes:
    """Return contacts as a JSON array, as the body of a small job."""
    return b"[%b]" % ndjson(rows).replace(b"\n", b",")
