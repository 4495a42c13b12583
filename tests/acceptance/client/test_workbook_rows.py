"""The rows of a workbook in the client: the service has read them, and returns them."""

from pathlib import Path

from bulklane import AsyncBulklane
from tests.acceptance.service import Service
from tests.workbooks import make_workbook, rows_of

SECONDS = 60  # until a job must have ended
BAD = {"phone": "12", "name": "Rui"}


async def test_a_workbook_has_its_rows_beside_errors_and_kept_results(
    service: Service, tmp_path: Path
) -> None:
    path = tmp_path / "people.xlsx"
    table = [["Mobile", "Notes", "name"], ["+14155552674", "007", "Ana"], ["12", "", "Rui"]]
    path.write_bytes(make_workbook({"People": rows_of(table)}))
    async with AsyncBulklane(key=service.dev["api_key"], url=service.dev["url"]) as client:
        kept = await client.jobs.submit(path, columns={"Mobile": "phone"}, unknown_columns="keep")
        await kept.wait(SECONDS)
        assert [error.row async for error in kept.errors()] == [BAD]
        results = [result async for result in kept.results()]
        assert [(result.index, result.outcome == "failed") for result in results] == [(0, False), (1, True)]
        assert [result.row for result in results] == [
            {"phone": "+14155552674", "Notes": "007", "name": "Ana"},
            BAD,
        ]
        ignored = await client.jobs.submit(path, columns={"Mobile": "phone", "Notes": None})
        await ignored.wait(SECONDS)
        assert [error.row async for error in ignored.errors()] == [BAD]
        assert [result.row async for result in ignored.results()] == [None, None]
        for job in (kept, ignored):
            retried = await (await job.retry_failed()).wait(SECONDS)
            assert [error.row async for error in retried.errors()] == [BAD]
            assert [result.row async for result in retried.results()] == [BAD]
