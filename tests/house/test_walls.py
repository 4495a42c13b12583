"""SQL and its driver are used in `storage/` only, endpoint paths not in `storage/` and `worker/`."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.source import PACKAGES, Source, imported_names, sources, strings

OUTSIDE_STORAGE = tuple(folder for folder in PACKAGES if folder != "storage")
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|TRUNCATE|SET LOCAL|CREATE|ALTER|DROP|WITH)\s")
RUNS_SQL = {"execute", "executemany", "fetch", "fetchval", "fetchrow", "copy_records_to_table"}
DRIVERS = {"asyncpg", "aiosql"}

SQL_ELSEWHERE = {
    "embedded.servers.postgres": "CREATE DATABASE, before the database that storage connects to exists",
}


@pytest.mark.parametrize("folder", OUTSIDE_STORAGE)
def test_sql_is_written_and_run_in_storage_only(folder: str) -> None:
    found = [line for source in sources(folder) if source.name not in SQL_ELSEWHERE for line in _sql(source)]
    assert not found, (
        f"SQL outside storage; move each statement to a .sql file of storage with a function: {found}"
    )


@pytest.mark.parametrize("folder", OUTSIDE_STORAGE)
def test_only_storage_knows_the_driver(folder: str) -> None:
    found = [
        f"{source.at(node)} {name}"
        for source in sources(folder)
        for node, name in imported_names(source)
        if name.partition(".")[0] in DRIVERS
    ]
    assert not found, (
        f"the driver is imported outside storage; add a function or an error to storage: {found}"
    )


@pytest.mark.parametrize("folder", ["storage", "worker"])
def test_the_core_names_no_endpoint(folder: str) -> None:
    found = [
        source.at(node) for source in sources(folder) for node, text in strings(source) if "/v1/" in text
    ]
    assert not found, f"endpoint paths outside api; remove the path, or let api/ add it: {found}"


def _sql(source: Source) -> Iterator[str]:
    for literal, text in strings(source):
        if STATEMENT.match(text):
            yield f"{source.at(literal)} {text.split()[0]}"
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in RUNS_SQL:
                yield f"{source.at(node)} .{attr}()"
