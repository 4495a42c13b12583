"""No statement reads more pages in large tables than in small ones, whatever the planner knows of them.

All steps of a job and all routes run in a small database, then, after it has grown, in the same sessions,
which have planned their statements before, and in new ones.
"""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import storage
from schemas.settings import Settings
from tests.integration.plans.every_route import prepare
from tests.integration.plans.growing_world import Sessions, make_world, open_sessions
from tests.page_counts import PageCounter, Read, counting, text_of

LEVELS = 3  # an index of a large table has up to so many times the levels of that of a small one
PAGES = 60  # what a statement may read in any table: 50 rows of a list, each in another page, and a few more
LISTS = 70  # the list of jobs merges so many lists, by operation and state, each in another page
OF_LISTS = "WITH RECURSIVE place AS MATERIALIZED"
GROWING = (
    # pruning reads the windows of 100 accounts, and one row of each account or job with rows to delete
    "WITH batch AS MATERIALIZED ( SELECT id FROM accounts",
    "WITH RECURSIVE holders AS",
    "WITH RECURSIVE stored AS",
    # a channel that is deleted is looked for in all contacts, in batches
    "WITH batch AS MATERIALIZED ( SELECT id, phone FROM contacts",
    # the jobs of a contact are looked for in the results of 50 jobs, or of all if there are fewer
    "WITH newest AS MATERIALIZED ( SELECT id FROM jobs",
    # a search for traces of a contact reads 500 failed items, each with its job, the results of 200 chunks,
    # or 500 single changes
    "SELECT m.job_id, m.item_index, m.ref",
    "WITH looked AS MATERIALIZED ( SELECT job_id, first_index, contact_ids",
    "WITH looked AS MATERIALIZED ( SELECT s.ctid AS place, s.* FROM single_changes",
    # the labels of a team are read among those of the account
    "SELECT * FROM labels WHERE account_id = ? AND id > ? AND (?::bigint",
    # a search for a text that few contacts have, without the index of names
    "SELECT search_contacts",
    "found :=",
    "WITH found AS MATERIALIZED ( SELECT id FROM contacts",
    # a change of a name may read the names of the account, if it was planned while there was none
    *(f"UPDATE {table} SET" for table in ("teams", "labels", "contact_lists", "audiences", "channels")),
    'SELECT ? FROM ONLY "public"."teams"',
    "DELETE FROM teams",
    # the operator looks at the 200 jobs that wait longest
    "WITH oldest AS MATERIALIZED",
    # asyncpg, the beginning of a session, and the steps of this test
    "WITH RECURSIVE typeinfo_tree",
    "CREATE TEMPORARY TABLE",
    "ALTER TABLE",
    "UPDATE jobs SET lease_until = now() - interval",
    "SELECT count(*) FROM jobs JOIN account_turns",
    "DELETE FROM webhook_deliveries WHERE account_id = ? AND webhook_id = ? AND number >= ?",
    "DELETE FROM webhook_deliveries WHERE account_id = ? AND state = ?",
    "DELETE FROM webhooks WHERE account_id = ? AND id LIKE ?",
)
# Statements of the command line and of the beginning of a session, and one that only a large account needs.
NOT_RUN = {
    "api_keys": {"owners"},
    "contact_search": {
        "create_extensions", "create_index", "drop_index", "index_state", "lock_index", "search_all",
    },
    "upsert": {"make_stage"},
}  # fmt: skip


async def run_steps(at: Sessions, counter: PageCounter) -> Read:
    """Run all steps. Return what each statement has read."""
    counter.read.clear()
    for name, step in await prepare(at):
        async with counter.step(name):
            await step(at)
    return dict(counter.read)


def grown(small: Read, large: Read) -> list[str]:
    """Return the statements that have read more than they may."""
    most: dict[str, float] = {}  # of any step, because a step may find other rows the first time
    for (_, text), pages in small.items():
        most[text] = max(most.get(text, 0), pages)
    problems = []
    for (step, text), pages in large.items():
        before = max(small.get((step, text), 0), min(most.get(text, PAGES), PAGES))
        more = LISTS if text.startswith(OF_LISTS) else PAGES
        if pages > LEVELS * before + more and not text.startswith(GROWING):
            problems.append(f"{step}: {before:.0f} pages, then {pages:.0f}: {text[:200]}")
    return problems


def named_statements() -> Iterator[tuple[str, str, str]]:
    """Yield the module, the name and the text of every statement of `storage`."""
    for module in pkgutil.walk_packages(storage.__path__, "storage."):
        queries = getattr(importlib.import_module(module.name), "QUERIES", None)
        for name, query in vars(queries).items() if hasattr(queries, "__dict__") else ():
            if not name.endswith("_cursor"):
                yield module.name.rpartition(".")[2], name, text_of(query.sql)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # to fill the largest tables takes minutes
# a table of 1,000 rows has about PAGES pages: what that form finds, the larger one finds, too
@pytest.mark.parametrize(
    "contacts",
    [
        50_000,
        pytest.param(1_000, marks=pytest.mark.long),
        pytest.param(1_000_000, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("analyzed", ["never", "empty", "small"])
async def test_every_statement_reads_what_it_returns(
    settings: Settings, contacts: int, analyzed: str
) -> None:
    world = await make_world(settings)
    seen: dict[str, Read] = {}
    async with counting(world.database_url) as counter:
        if analyzed == "empty":
            await world.sql("ANALYZE")
        async with open_sessions(world) as early:
            if analyzed == "small":
                await run_steps(early, counter)
                await world.sql("ANALYZE")
            small = await run_steps(early, counter)
            await world.grow(contacts)
            seen["planned in small tables"] = await run_steps(early, counter)
        async with open_sessions(world) as late:
            seen["planned in large tables"] = await run_steps(late, counter)
        if analyzed == "never":
            await world.sql("ANALYZE")
            async with open_sessions(world) as late:
                seen["planned with fresh statistics"] = await run_steps(late, counter)
    problems = [f"{when}: {problem}" for when, large in seen.items() for problem in grown(small, large)]
    assert not problems, "\n".join(problems)


async def test_the_steps_run_every_statement(settings: Settings) -> None:
    world = await make_world(settings)
    async with counting(world.database_url) as counter, open_sessions(world) as sessions:
        ran = {text for _, text in await run_steps(sessions, counter)}
    missing = [
        f"{module}.{name}"
        for module, name, text in named_statements()
        if text not in ran and name not in NOT_RUN.get(module, set())
    ]
    assert not missing, "add to every_step.py what runs: " + ", ".join(missing)
