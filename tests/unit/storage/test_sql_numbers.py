"""Numbers in SQL have a name: a query parameter, an argument of a function, or a placeholder."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

HERE = Path(str(files("storage")))
# The tables state their own limits, and migrations never change.
FILES = [
    path
    for path in sorted(HERE.rglob("*.sql"))
    if path.name != "tables.sql" and path.parent.name != "migrations"
]
IGNORED = re.compile(r"--[^\n]*|'[^']*'|\[\d+\]")  # comments, strings, elements of an array
NUMBER = re.compile(r"(?<![\w.$@:])\d[\d_]*(?![\w@])")
FREE = re.compile(r"/ 2\b")  # half of a chunk
# 0 and 1 are allowed, except as the code of an outcome or a note, which Python defines.
CODE = re.compile(
    r"\b(outcome|outcomes|what|was|note|notes)\b\s*(=|<>|IN \()\s*\d|array_fill\(\d|interval '\d"
)


def bare_numbers(sql: str) -> list[str]:
    """Return the numbers of a statement that have no name."""
    plain = FREE.sub("", IGNORED.sub("", sql))
    return [number for number in NUMBER.findall(plain) if number not in {"0", "1"}] + [
        found[0] for found in CODE.finditer(sql)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HERE)))
def test_a_number_has_a_name(path: Path) -> None:
    found = bare_numbers(path.read_text())
    assert not found, f"declare {found} in Python, and pass it as a parameter or as a placeholder of `load`"


@pytest.mark.parametrize(
    "sql",
    [
        "deaths >= 3",
        "ELSE 2 END",
        "start_tag - 10000",
        "outcome <> 5",
        "FILTER (WHERE what = 1)",
        "array_fill(7::smallint, x)",
        "COALESCE(x, 2147483647)",
        "bytes <= 8 * 1024 * 1024",
        "now() - interval '24 hours'",
        "now() - interval '2 days'",
        "LIMIT 100",
    ],
)
def test_a_bare_number_is_found(sql: str) -> None:
    assert bare_numbers(sql)


def test_a_named_number_is_allowed() -> None:
    assert not bare_numbers(
        "n + 1 > @max_index@ AND a[2] = $2 AND b = :b2 AND x::int4 <> @outcome.merged@ -- 3"
    )
