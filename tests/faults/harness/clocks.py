"""Step the clock of PostgreSQL.

The clock of a running server cannot be set without setting that of the machine. A step by an hour is the same
as a shift of all stored times by an hour the other way, with the work that is in progress at that moment.
"""

from datetime import timedelta

from tests.faults.harness.cluster import Cluster

TIMES = """
    SELECT c.table_name, string_agg(format('%1$I = %1$I + $1::interval', c.column_name), ', ') AS shifts
    FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND c.data_type = 'timestamp with time zone'
      AND t.table_type = 'BASE TABLE'
      AND c.table_name <> 'grants'
      AND ($1::text[] IS NULL OR c.table_name = ANY ($1))
    GROUP BY c.table_name
"""  # grants follow the clock of the window, which is Valkey's
# whose times decide what is done when, and those with copies of them
PIPELINE = [
    "account_turns", "chunks", "jobs", "job_history", "job_counts", "job_count_changes", "rounds",
    "webhooks", "webhook_deliveries",
]  # fmt: skip
FAR = timedelta(days=365_000)


async def step_clock(running: Cluster, hours: int, *, tables: list[str] | None = None) -> None:
    """Shift all stored times, or those of `tables`, as a step of the clock by `hours` makes them appear.

    No trigger runs, because a step of the clock changes no row. The times pass through the far future, so
    that an hour in a primary key does not meet the next one.
    """
    conn = await running.connect()
    async with conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica")
        for row in await conn.fetch(TIMES, tables):
            for shift in (FAR - timedelta(hours=hours), -FAR):
                await conn.execute(f"UPDATE {row['table_name']} SET {row['shifts']}", shift)
    await conn.close()
