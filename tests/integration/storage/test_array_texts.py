"""Arrays written as text arrive in PostgreSQL unchanged."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest

from storage.context import Context
from storage.postgres.array_texts import array_text, number_array

TEXTS = [
    [],
    [""],
    ["", ""],
    ["a", "b"],
    ['"', "\\", '\\"', "{}", "{,}", ",", " a ", "\n\t", "\x1f", "é😀"],
    ["NULL", "null", None],
    [None],
    [None, "", 'a"b', None],
    ['{"city": "San Francisco", "note": "\\"\\\\\\u00e9"}'],
]


@pytest.mark.parametrize("values", TEXTS)
async def test_texts_arrive_unchanged(ctx: Context, values: Sequence[str | None]) -> None:
    assert await ctx.pool.fetchval("SELECT $1::text::text[]", array_text(values)) == values


async def test_numbers_and_uuids_arrive_unchanged(ctx: Context) -> None:
    numbers = [1, None, -(2**63), 2**63 - 1]
    assert await ctx.pool.fetchval("SELECT $1::text::bigint[]", array_text(numbers)) == numbers
    uuids = [UUID(int=1), None]
    assert await ctx.pool.fetchval("SELECT $1::text::uuid[]", array_text(uuids)) == uuids


@pytest.mark.parametrize("values", [["a\0b"], ["\0"], ["a", "\0", "b"], [None, "\0"]])
async def test_a_nul_is_rejected(ctx: Context, values: Sequence[str | None]) -> None:
    """It is no separator: the texts around it must not become two elements."""
    with pytest.raises(asyncpg.CharacterNotInRepertoireError):
        await ctx.pool.fetchval("SELECT $1::text::text[]", array_text(values))


async def test_many_numbers_arrive_unchanged(ctx: Context) -> None:
    for numbers in ([], [1], [None], [0, None, -(2**63), 2**63 - 1]):
        assert await ctx.pool.fetchval("SELECT $1::text::bigint[]", number_array(numbers)) == numbers
