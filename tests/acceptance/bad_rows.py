"""Generate a file of contacts with one bad row in fifty, of ten kinds, and the expected error codes."""

from dataclasses import dataclass

EVERY = 50  # one row in 50 is bad: 2 %


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of bad row: the column that is changed, its value, and the expected error code."""

    code: str
    column: str
    value: str


KINDS = (
    Kind(code="phone_too_short", column="phone", value="+1415"),
    Kind(code="phone_too_long", column="phone", value="+14155552671000000"),
    Kind(code="phone_not_a_number", column="phone", value="n/a"),
    Kind(code="phone_unknown_country_code", column="phone", value="+999 123 456 789"),
    Kind(code="phone_invalid_for_region", column="phone", value="+11112345678"),
    Kind(code="missing_field", column="phone", value=""),
    Kind(code="invalid_email", column="email", value="ana at example"),
    Kind(code="too_long", column="name", value="x" * 256),
    Kind(code="invalid_language", column="language", value="no such language!"),
    Kind(code="invalid_timezone", column="timezone", value="Mars/Olympus"),
)


def make_rows(size: int, *, city: str = "Bologna") -> list[dict[str, str]]:
    """Return `size` rows. Phones of good rows have three notations that people use."""
    return [_row(index, city) for index in range(size)]


def expected_errors(size: int) -> dict[int, str]:
    """Return the error code of each bad row, by index."""
    return {index: _kind(index).code for index in range(size) if _is_bad(index)}


def expected_phone(index: int) -> str:
    """Return the stored phone of a good row."""
    return f"+1415{2_000_000 + index}"


def _row(index: int, city: str) -> dict[str, str]:
    number = 2_000_000 + index
    first, last = str(number)[:3], str(number)[3:]
    notation = (f"+1415{number}", f"(415) {first}-{last}", f"415.{first}.{last}")[index % 3]
    row = {
        "phone": notation,
        "name": f'Ana "{index}" Conti' if index % 7 == 0 else f"Ana {index}",
        "email": f"ana{index}@example.com",
        "language": "it-IT",
        "timezone": "Europe/Rome",
        "metadata.city": city,
    }
    if _is_bad(index):
        kind = _kind(index)
        row[kind.column] = kind.value
    return row


def _is_bad(index: int) -> bool:
    return index % EVERY == 7


def _kind(index: int) -> Kind:
    return KINDS[(index // EVERY) % len(KINDS)]
