"""The signs of life of a worker are for the operator alone: nothing that fails there ends a worker."""

from storage.context import Context
from worker.signs.heartbeat import beating

REFUSE_CHANGES = """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE read_only_sql_transaction; END $$;
    CREATE TRIGGER refuse_change BEFORE DELETE ON workers EXECUTE FUNCTION refuse_change();
"""
ALLOW_CHANGES = "DROP FUNCTION refuse_change CASCADE"


async def test_a_worker_stops_in_order_if_its_row_cannot_be_deleted(ctx: Context) -> None:
    await ctx.pool.execute(REFUSE_CHANGES)
    try:
        async with beating(ctx):
            pass
    finally:
        await ctx.pool.execute(ALLOW_CHANGES)
