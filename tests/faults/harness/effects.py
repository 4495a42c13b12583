"""A test operation that is not idempotent: every write of a nickname leaves a row, also of the same nickname.

A trigger stores each nickname with a number at its end. So an item that is applied twice changes its contact
twice, and leaves two rows in `test_effects`, in the transaction that applies it.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from tests.factories import phone
from tests.faults.harness.client import PatientClient
from tests.faults.harness.cluster import Cluster

TRIGGERS = """
    CREATE TABLE IF NOT EXISTS test_effects (
        account_id bigint NOT NULL, phone text NOT NULL, effect text NOT NULL);
    CREATE SEQUENCE IF NOT EXISTS test_effect_numbers;
    CREATE OR REPLACE FUNCTION number_effect() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' OR NEW.nickname IS DISTINCT FROM OLD.nickname THEN
            NEW.nickname := split_part(NEW.nickname, '#', 1) || '#' || nextval('test_effect_numbers');
        END IF;
        RETURN NEW;
    END $$;
    CREATE OR REPLACE FUNCTION record_effect() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.nickname IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.nickname IS DISTINCT FROM OLD.nickname) THEN
            INSERT INTO test_effects VALUES (NEW.account_id, NEW.phone, split_part(NEW.nickname, '#', 1));
        END IF;
        RETURN NULL;
    END $$;
    CREATE OR REPLACE TRIGGER number_effect BEFORE INSERT OR UPDATE OF nickname ON contacts
        FOR EACH ROW EXECUTE FUNCTION number_effect();
    CREATE OR REPLACE TRIGGER record_effect AFTER INSERT OR UPDATE OF nickname ON contacts
        FOR EACH ROW EXECUTE FUNCTION record_effect();
"""


async def record_effects(cluster: Cluster) -> None:
    """Record the effect of every item that has a nickname from now on."""
    conn = await cluster.connect()
    await conn.execute(TRIGGERS)
    await conn.close()


def effect_items(numbers: Iterable[int], effect: str) -> Iterator[dict[str, Any]]:
    """Yield items for the contacts of `numbers` that each leave one row with `effect`."""
    return ({"phone": phone(number), "name": effect, "nickname": effect} for number in numbers)


async def assert_once(cluster: Cluster, client: PatientClient, effects: dict[str, int]) -> None:
    """Assert that each effect reached exactly that many contacts of the account, each of them once."""
    rows = await cluster.sql(
        """SELECT effect, count(*)::int AS n, count(DISTINCT phone)::int AS contacts
           FROM test_effects WHERE account_id = $1 GROUP BY effect""",
        client.account_id,
    )
    found = {row["effect"]: (row["n"], row["contacts"]) for row in rows}
    wanted = {effect: (number, number) for effect, number in effects.items()}
    assert found == wanted, f"(writes, contacts) of each effect are {found}, not {wanted}"


async def names_of(cluster: Cluster, client: PatientClient) -> dict[str, int]:
    """Return how many contacts of the account have each name."""
    rows = await cluster.sql(
        "SELECT name, count(*)::int AS n FROM contacts WHERE account_id = $1 GROUP BY name", client.account_id
    )
    return {row["name"]: row["n"] for row in rows}
