"""A client of one account that repeats a request until it gets its answer, as a careful client does."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from schemas.ids import AccountId
from tests.integration.api.service import Response

TRY_SECONDS = 20.0  # for one attempt
PAUSE_SECONDS = 0.1  # before the next attempt, unless the answer has a Retry-After
AGAIN = {429, 503}
NO_ANSWER = (aiohttp.ClientError, ConnectionError, TimeoutError)


class Unanswered(Exception):
    """No attempt got an answer in time. The message holds the last failure."""


@dataclass
class PatientClient:
    """Sends requests of one account to the apis of a cluster, in turn.

    `accepted` holds the ids of all jobs that were answered with 202, 200 or 207; `told` holds each job that
    was read as ended. The invariants compare both with the database.
    """

    session: aiohttp.ClientSession
    urls: Sequence[str]
    account_id: AccountId
    key: str
    accepted: list[str] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)
    attempts: int = 0

    async def once(self, method: str, path: str, **options: Any) -> Response:
        """Send one request. Raises an error of NO_ANSWER."""
        self.attempts += 1
        url = self.urls[self.attempts % len(self.urls)] + path
        headers = {"Authorization": f"Bearer {self.key}"} | options.pop("headers", {})
        timeout = aiohttp.ClientTimeout(total=options.pop("seconds", TRY_SECONDS))
        async with self.session.request(method, url, headers=headers, timeout=timeout, **options) as response:
            return Response(response.status, response.headers, await response.read())

    async def call(self, method: str, path: str, *, seconds: float = 60, **options: Any) -> Response:
        """Send a request until it is answered, other than with 429, 503 or `idempotency_in_progress`.

        Raises Unanswered after `seconds`.
        """
        last: object = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    last = await self._attempt(method, path, options)
                    if isinstance(last, Response) and not _is_temporary(last):
                        return last
                    await asyncio.sleep(_pause(last))
        except TimeoutError:
            raise Unanswered(f"{method} {path}: {last!r}") from None

    async def submit(
        self,
        items: Iterable[Any] | bytes,
        operation: str = "contacts.upsert",
        query: str = "",
        *,
        content_type: str = "application/x-ndjson",
        key: str | None = None,
        seconds: float = 60,
    ) -> str:
        """Submit a bulk request until it is accepted; return the id of its job.

        Each attempt has the same Idempotency-Key: `key` or a new one.
        """
        body = items if isinstance(items, bytes) else ndjson(items)
        headers = {"Content-Type": content_type, "Idempotency-Key": key or uuid4().hex}
        path = f"/v1/bulk/{operation}{query}"
        response = await self.call("POST", path, data=body, headers=headers, seconds=seconds)
        assert response.status in {200, 202, 207}, response
        job: str = response.json["id"]
        if job not in self.accepted:
            self.accepted.append(job)
        return job

    async def job(self, job_id: str, *, wait: int = 0) -> Any:
        """Read a job; wait up to `wait` seconds for its end."""
        response = await self.call("GET", f"/v1/jobs/{job_id}" + (f"?wait={wait}" if wait else ""))
        assert response.status in {200, 202}, response
        view = response.json
        if view["finished_at"]:
            earlier = self.told.setdefault(job_id, view)
            assert (earlier["state"], earlier["counts"]) == (view["state"], view["counts"]), (earlier, view)
        return view

    async def ended(self, job_id: str, *, seconds: float = 60) -> Any:
        """Wait until a job has ended; return it. Raises Unanswered after `seconds`."""
        view: Any = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    view = await self.job(job_id, wait=2)
                    if view["finished_at"]:
                        return view
        except TimeoutError:
            raise Unanswered(f"the job has not ended: {view}") from None

    async def all_ended(self, *, seconds: float = 60) -> list[Any]:
        """Wait until all accepted jobs have ended; return them in the order of acceptance."""
        return [await self.ended(job_id, seconds=seconds) for job_id in self.accepted]

    async def _attempt(self, method: str, path: str, options: dict[str, Any]) -> Response | Exception:
        try:
            return await self.once(method, path, **options)
        except NO_ANSWER as error:
            return error


def counts(job: Any) -> dict[str, int]:
    """Return the counts of a job that are not 0."""
    return {name: count for name, count in job["counts"].items() if count}


def ndjson(items: Iterable[Any]) -> bytes:
    """Return items as NDJSON."""
    return b"\n".join(json.dumps(item).encode() for item in items)


def _is_temporary(response: Response) -> bool:
    if response.status == 409:
        return bool(response.error["code"] == "idempotency_in_progress")
    return response.status in AGAIN


def _pause(last: object) -> float:
    """Return the seconds to wait: those of Retry-After, but no more than one."""
    if isinstance(last, Response) and "Retry-After" in last.headers:
        return min(float(last.headers["Retry-After"]), 1.0)
    return PAUSE_SECONDS
