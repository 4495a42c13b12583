"""kill -9 in the middle of a job: it ends all the same, and every item is applied once."""

from pathlib import Path

from tests.acceptance.bad_rows import expected_errors, make_rows
from tests.acceptance.service import Service, csv_of, serving
from tests.waiting import wait_for

SIZE = 60_000
RECOVERY_SECONDS = 15.0  # from the restart of what was killed to the end of the job, work included


async def _progressed(service: Service, job_id: str, items: int) -> None:
    """Return as soon as so many items are applied."""
    while True:
        job = await service.get(f"/v1/jobs/{job_id}")
        if job["total"] and job["total"] - job["counts"]["pending"] >= items:
            assert not job["finished_at"], "the job was over before anything could be killed"
            return


async def test_killing_each_worker_and_the_api_changes_nothing_in_the_counts(tmp_path: Path) -> None:
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
        (answers,) = await service.fetch("SELECT sum(cardinality(outcomes)) AS n FROM outcomes")
        assert answers["n"] == SIZE


async def test_killing_the_servers_heals_by_itself(tmp_path: Path) -> None:
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
