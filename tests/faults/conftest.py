"""A cluster for the tests of a module, and the report of measured recovery times."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.harness.cluster import Cluster, cluster
from tests.faults.harness.effects import record_effects

LOG_CHARACTERS = 3_000


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared_cluster() -> AsyncIterator[Cluster]:
    """Run one api and two workers behind proxies for all tests of a module."""
    async with cluster(proxied=True) as running:
        await record_effects(running)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def running(shared_cluster: Cluster) -> AsyncIterator[Cluster]:
    """Return the cluster of the module. It is healed after each test."""
    shared_cluster.clients.clear()
    yield shared_cluster
    for part in shared_cluster.parts:  # pytest shows it if the test has failed
        print(f"the end of the log of {part.child.name}:\n{part.log[-LOG_CHARACTERS:]}")
    await shared_cluster.heal()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the recovery times that the tests have measured, the longest first."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    times = sorted(
        {
            str(value)
            for report in reports
            if isinstance(report, pytest.TestReport)
            for name, value in report.user_properties
            if name == "recovery"
        },
        reverse=True,
    )
    if times:
        terminalreporter.section("work continued after a fault in")
        for line in times:
            terminalreporter.write_line(line)
