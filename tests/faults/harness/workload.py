"""Jobs of one account that together reach every step of the pipeline, and what must become of them."""

import os
import signal
from collections.abc import Iterator
from typing import Any

from tests.factories import contact
from tests.faults.harness.client import PatientClient
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import assert_once, effect_items, names_of

SMALL, LARGE, SAME = range(3_000), range(3_000, 5_000), range(5_000, 6_000)
DRY, CANCELLED = range(6_000, 7_000), range(7_000, 10_000)
REPEATED = ("early", "middle", "late")
PADDING = {"pad": "x" * 800}  # so that LARGE is stored in several parts


def large_items(numbers: range, effect: str) -> Iterator[dict[str, Any]]:
    """Yield items whose body is cut into several parts: about a thousand of them fit in one."""
    return (item | {"metadata": PADDING} for item in effect_items(numbers, effect))


def repeated_items() -> Iterator[dict[str, Any]]:
    """Yield a chunk of items for each of REPEATED, all for the same contacts. The last one must win."""
    for name in REPEATED:
        yield from (contact(number, name=name) for number in SAME)


async def submit_out_of_order(cluster: Cluster, client: PatientClient, step: str, action: str) -> str:
    """Submit `repeated_items` so that the first chunk is applied last, and its job must be settled.

    Arms a failpoint for the rest of the job. The worker that claims the first chunk is stopped meanwhile.
    It may have claimed the second one, too, but not the third. The chunk is named, because the answers to
    claims of one moment arrive in any order.
    """
    cluster.steps.arm("claim.committed", "stop once if from 0.")
    job = await client.submit(repeated_items())
    pid = await cluster.steps.stopped_at("claim.committed")
    await cluster.has_applied(job, 1)
    cluster.steps.arm(step, action)
    os.kill(pid, signal.SIGCONT)
    return job


async def submit_everything(client: PatientClient) -> None:
    """Submit the jobs. One is cancelled, one is a dry run, and the last one changes the names of SMALL."""
    await client.submit(effect_items(SMALL, "small"))
    await client.submit(large_items(LARGE, "large"))
    await client.submit(repeated_items())
    await client.submit(effect_items(DRY, "dry"), query="?dry_run=true")
    cancelled = await client.submit(contact(number, name="cancelled") for number in CANCELLED)
    response = await client.call("POST", f"/v1/jobs/{cancelled}/cancel")
    assert response.status in {200, 202, 409}, response
    await client.submit(contact(number, name="last") for number in SMALL)


async def assert_everything(cluster: Cluster, client: PatientClient) -> None:
    """Assert that each effect happened once, that the last job of each contact won, and no dry run shows."""
    await assert_once(cluster, client, {"small": len(SMALL), "large": len(LARGE)})
    names = await names_of(cluster, client)
    names.pop("cancelled", 0)  # what was applied before the cancellation stays
    assert names == {"last": len(SMALL), "large": len(LARGE), "late": len(SAME)}
