"""The tables contacts and stage_contacts have the declared columns."""

from typing import NamedTuple

from schemas.items.contacts import CONTACT_FIELDS, ITEM_FIELDS
from storage.context import Context

UNDECLARED = {"account_id", "id", "created_at", "updated_at"}


class DatabaseColumn(NamedTuple):
    """A column of the database."""

    type: str
    collation: str | None
    not_null: bool
    default: str | None


async def columns_of(ctx: Context, table: str) -> dict[str, DatabaseColumn]:
    """Return the columns of a table."""
    rows = await ctx.pool.fetch(
        """SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type, l.collname, a.attnotnull,
                  pg_get_expr(d.adbin, d.adrelid) AS default
           FROM pg_attribute a
           LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
           LEFT JOIN pg_collation l ON l.oid = a.attcollation AND l.collname <> 'default'
           WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped""",
        table,
    )
    return {name: DatabaseColumn(*rest) for name, *rest in rows}


async def test_the_table_has_the_declared_columns(ctx: Context) -> None:
    declared = {
        field.name: DatabaseColumn(
            type=field.column.type,
            collation=field.column.collation,
            not_null=field.not_null,
            default=_printed(field.column.default, field.column.type),
        )
        for field in CONTACT_FIELDS
    }
    actual = await columns_of(ctx, "contacts")
    assert {name: column for name, column in actual.items() if name not in UNDECLARED} == declared


async def test_the_staging_table_has_the_columns_that_items_set(ctx: Context) -> None:
    declared = {
        field.name: DatabaseColumn(field.column.type, field.column.collation, not_null=False, default=None)
        for field in ITEM_FIELDS
    }
    account, job = (DatabaseColumn(type_, None, not_null=False, default=None) for type_ in ("bigint", "uuid"))
    assert await columns_of(ctx, "stage_contacts") == {**declared, "account_id": account, "job_id": job}


def _printed(default: str | None, type_: str) -> str | None:
    """Return a default as PostgreSQL prints it."""
    return f"{default}::{type_}" if default and default.startswith("'") else default
