"""The sample job: upload the example file, show the progress and the item errors."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from embedded.supervisor.dev_file import DevFile
from embedded.supervisor.options import FILES

FILE = FILES / "examples" / "contacts.csv"
ENDED = frozenset({"completed", "completed_with_errors", "failed", "cancelled"})
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 120.0
VALUE_CHARACTERS = 40  # a longer value is cut, but no message
MESSAGE_COLUMN = 8
TRANSIENT = (aiohttp.ClientConnectionError, TimeoutError)  # the api may restart in between

Job = Mapping[str, Any]  # a job as the api returns it


class SampleFailed(Exception):
    """The sample job failed; the service keeps running."""


async def run(console: Console, running: DevFile) -> None:
    """Send the example, show its progress and its errors, and print what to try next."""
    headers = {"Authorization": f"Bearer {running.api_key}"}
    timeout = aiohttp.ClientTimeout(total=30)
    try:
        async with aiohttp.ClientSession(running.url, headers=headers, timeout=timeout) as session:
            job = await _submit(session, FILE)
            job = await _watch(console, session, job)
            _show_counts(console, job)
            _show_errors(console, job["errors"])
    except (SampleFailed, aiohttp.ClientError, TimeoutError, OSError) as error:
        console.print(f"[red]the sample job failed:[/red] {error}", highlight=False)
    _show_next_steps(console, running)


async def _submit(session: aiohttp.ClientSession, file: Path) -> Job:
    body = await asyncio.to_thread(file.read_bytes)
    headers = {"Content-Type": "text/csv", "Content-Disposition": f'attachment; filename="{file.name}"'}
    async with session.post("/v1/bulk/contacts.upsert", data=body, headers=headers) as response:
        return await _content(response, 202)


async def _watch(console: Console, session: aiohttp.ClientSession, job: Job) -> Job:
    """Show the progress of the job until it ends. Return the ended job."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"{FILE.name} as {job['id']}", total=None)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                job = await _reload(session, job)
                progress.update(bar, total=job["total"], completed=_done(job))
                if job["state"] in ENDED:
                    return job
                await asyncio.sleep(POLL_SECONDS)


async def _reload(session: aiohttp.ClientSession, job: Job) -> Job:
    """Return the current state of the job, or `job` itself if the api cannot be reached."""
    try:
        async with session.get(f"/v1/jobs/{job['id']}") as response:
            return job if response.status >= 500 else await _content(response, 200)
    except TRANSIENT:
        return job


def _done(job: Job) -> int:
    return int(sum(count for name, count in job["counts"].items() if name != "pending"))


def _show_counts(console: Console, job: Job) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in job["counts"].items() if count)
    colour = "green" if job["state"] in ("completed", "completed_with_errors") else "red"
    console.print(f"[{colour}]{job['state']}[/{colour}]: {job['total']} items: {counts}", highlight=False)


def _show_errors(console: Console, errors: list[Mapping[str, Any]]) -> None:
    if not errors:
        return
    console.print("The items that were not applied, by their index:")
    for error in errors:
        value = Text("" if error["value"] is None else str(error["value"]))
        value.truncate(VALUE_CHARACTERS, overflow="ellipsis")
        code, field = (error["code"], "bold"), error["field"] or "item"
        console.print(Text.assemble(f"{error['index']:>6}  ", code, f"  {field}: ", value))
        console.print(Padding(Text(error["message"]), (0, 0, 0, MESSAGE_COLUMN)))


def _show_next_steps(console: Console, running: DevFile) -> None:
    lines = [
        "",
        f"URL  {running.url}",
        f"key  {running.api_key}",
        "",
        "Open the page (this link signs in):",
        "",
        running.sign_in_url,
        "",
        "Open the pages of the operator:",
        "",
        running.operator_url,
        "",
        "Or send a file, from another terminal in this folder:",
        "",
        "./run bulklane send examples/contacts.csv --errors-to bad.csv",
        "",
        "Or with curl:",
        "",
        f"curl -s {running.url}/v1/bulk/contacts.upsert -H 'Authorization: Bearer {running.api_key}' \\",
        """  -H 'Content-Type: application/json' -d '[{"phone": "+14155550123", "name": "Ada"}]'""",
        "",
    ]
    console.print(Text("\n".join(lines)), soft_wrap=True)


async def _content(response: aiohttp.ClientResponse, expected: int) -> Job:
    if response.status != expected:
        raise SampleFailed(
            f"{response.method} {response.url.path} responded with {response.status}: {await response.text()}"
        )
    content: Job = await response.json()
    return content
