"""The metrics of a worker: the port where it serves them, and what a job leaves there."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from schemas.metrics import STAGES
from schemas.operations import Operation
from storage.context import Context
from storage.entities.accounts import Account
from storage.webhooks import deliveries
from tests.factories import contact, make_account, make_job
from tests.integration.scrape import Scrape, problems_of
from tests.webhooks import all_ended, make_webhook
from tests.workers import drain
from worker.signs.metrics_server import PORTS, serving_metrics
from worker.webhooks.deliver import delivering


def with_port(ctx: Context, port: int | None) -> Context:
    """Return a context with this METRICS_PORT."""
    return replace(ctx, settings=ctx.settings.model_copy(update={"metrics_port": port}))


async def scrape(port: int | None) -> Scrape:
    """Return the metrics of a worker."""
    async with aiohttp.request("GET", f"http://127.0.0.1:{port}/metrics") as response:
        assert response.status == 200
        return Scrape.of(await response.text())


@pytest.fixture
async def port(ctx: Context) -> AsyncIterator[int | None]:
    """Serve the metrics of the worker at any free port."""
    async with serving_metrics(with_port(ctx, 0)) as port:
        yield port


@pytest.fixture
async def account(ctx: Context) -> Account:
    """Return an account without limits."""
    return await make_account(ctx)


async def test_a_job_is_counted_by_outcome_stage_and_end(
    ctx: Context, port: int | None, account: Account
) -> None:
    before = await scrape(port)
    await make_job(ctx, account.id, [contact(1), contact(2), contact(2), {"phone": "12"}])
    await make_job(ctx, account.id, [contact(n) for n in range(1_500)])  # not a small job
    await drain(ctx)
    after = await scrape(port)
    outcomes = {"created": 1_500, "unchanged": 2, "updated": 0, "merged": 1, "failed": 1, "skipped": 0}
    for outcome, items in outcomes.items():
        assert after.since(before, "bulklane_items_applied_total", outcome=outcome) == items, outcome
    for state in ("completed", "completed_with_errors"):
        ended = {"operation": "contacts.upsert", "state": state}
        assert after.since(before, "bulklane_jobs_ended_total", **ended) == 1
    for stage in STAGES:
        assert after.since(before, "bulklane_chunk_stage_duration_seconds_count", stage=stage) >= 2, stage
    assert after.since(before, "bulklane_queue_wait_seconds_count") == 2
    assert 0 < after.since(before, "bulklane_queue_wait_seconds_sum") < 60
    assert after.since(before, "bulklane_postgres_pool_acquire_duration_seconds_count") > 5
    assert problems_of(after) == []


async def test_attempts_of_webhooks_are_counted_by_what_follows(
    ctx: Context, port: int | None, account: Account
) -> None:
    settings = ctx.settings.model_copy(update={"webhook_retry_seconds": (0.02, 0.02)})
    await make_webhook(ctx, account.id, "http://127.0.0.1:1/")  # its address is refused
    before = await scrape(port)
    await deliveries.queue_test(ctx.pool, account.id, "hook")
    async with delivering(replace(ctx, settings=settings)):
        await all_ended(ctx, account.id)
    after = await scrape(port)
    for state, attempts in {"waiting": 2, "failed": 1, "delivered": 0}.items():
        assert after.since(before, "bulklane_webhook_attempts_total", state=state) == attempts, state


async def test_an_operation_without_a_single_end_has_its_series(port: int | None) -> None:
    """`increase()` does not see the step of a series that begins with it."""
    shown = await scrape(port)
    ended = {
        dict(labels)["operation"] for name, labels in shown.values if name == "bulklane_jobs_ended_total"
    }
    assert ended == {operation.value for operation in Operation}


async def test_workers_of_one_host_take_the_next_free_ports(ctx: Context) -> None:
    async with serving_metrics(with_port(ctx, 0)) as first:
        assert first is not None
        async with serving_metrics(with_port(ctx, first)) as second:
            assert second is not None
            assert first < second < first + PORTS
            assert (await scrape(second)).sum("bulklane_build_info", role="worker") == 1
        async with serving_metrics(with_port(ctx, second)) as again:
            assert again == second  # it was given back


async def test_a_worker_that_cannot_serve_metrics_says_so_and_goes_on(
    ctx: Context, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ctx.settings.model_copy(update={"metrics_port": 9464, "host": "192.0.2.1"})  # not ours
    async with serving_metrics(replace(ctx, settings=settings)) as port:
        assert port is None
        await make_job(ctx, account.id, [contact(1)])
        await drain(ctx)
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "no metrics" in line.getMessage()
    assert "METRICS_PORT and HOST" in line.getMessage()
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 1


async def test_without_a_port_a_worker_serves_nothing(ctx: Context) -> None:
    async with serving_metrics(with_port(ctx, None)) as port:
        assert port is None
