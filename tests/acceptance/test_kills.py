"""Kill processes with SIGKILL during a job: the job ends, and every item is applied once."""

from pathlib import Path

from tests.acceptance.bad_rows import expected_errors, make_rows
from tests.acceptance.service import Service, csv_of, serving
from tests.waiting import wait_for

SIZE = 60_000
RECOVERY_SECONDS = 15.0  # from the restart of the killed processes to the end of the job


async def _progressed(service: Service, job_id: str, items: int) -> None:
    """Wait until `items` items are applied; assert that the job still runs."""
    while True:
        job = await service.get(f"/v1/jobs/{job_id}")
        if job["total"] and job["total"] - job["counts"]["pending"] >= items:
            assert not job["finished_at"], "the job ended before a process could be killed; use a larger SIZE"
            return


async def test_killing_all_workers_and_the_api_does_not_change_the_counts(tmp_path: Path) -> None:
    bad = len(expected_errors(SIZE))
    with serving(tmp_path / "state") as service:
        service.cli("accounts", "set", "demo", "--item-limit", "0", "--request-limit", "0")
        job = await service.submit(csv_of(make_rows(SIZE)), "text/csv")
        await _progressed(service, job["id"], 2_000)
        killed = [service.kill("worker", 0), service.kill("worker", 1), service.kill("api")]
        wait_for(lambda: not _still_listed(service, killed), seconds=30)
        ended = await service.ended(job["id"], seconds=RECOVERY_SECONDS + 45)
        assert {name: count for name, count in ended["counts"].items() if count} == {
            "created": SIZE - bad,
            "failed": bad,
        }
        (row,) = await service.fetch("SELECT count(*) AS n FROM contacts")
        assert row["n"] == SIZE - bad
        (results,) = await service.fetch("SELECT sum(cardinality(outcomes)) AS n FROM outcomes")
        assert results["n"] == SIZE


async def test_the_service_recovers_from_killed_servers(tmp_path: Path) -> None:
    bad = len(expected_errors(SIZE))
    with serving(tmp_path / "state") as service:
        service.cli("accounts", "set", "demo", "--item-limit", "0", "--request-limit", "0")
        job = await service.submit(csv_of(make_rows(SIZE)), "text/csv")
        await _progressed(service, job["id"], 2_000)
        service.kill("valkey")
        service.kill("postgres")
        ended = await service.ended(job["id"], seconds=90)
        assert ended["counts"]["created"] == SIZE - bad
        assert sum(ended["counts"].values()) == SIZE


def _still_listed(service: Service, pids: list[int]) -> bool:
    listed = {pid for role in ("worker", "api") for pid in service.pids(role)}
    return bool(listed & set(pids))
