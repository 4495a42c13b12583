"""`./run bench streams`: many open streams of events in one api process.

All streams follow one account, so each event is sent to all of them. The time of an event is that from the
end of its job, as the database has it, to the moment when the last stream has it.
"""

import asyncio
import time
from datetime import datetime
from functools import partial
from typing import Annotated, cast

import typer

from api.http.connections import raise_descriptor_limit
from bench.lab.client import Client
from bench.lab.machine import resident_bytes
from bench.lab.options import Rounds
from bench.lab.results import Results
from bench.lab.rows import contact_rows
from bench.lab.service import HOST, Service, running_service

AT_ONCE = 200  # streams that are opened at the same time
OPEN_SECONDS = 60.0  # to open AT_ONCE streams
EVENT_SECONDS = 60.0
WARM_UP_JOBS = 3


def measure(
    results: Results,
    *,
    streams: Annotated[int, typer.Option(min=1, help="Open streams.")] = 10_000,
    rounds: Rounds = 5,
) -> None:
    """Measure the memory and the delay of many open streams of events."""
    raise_descriptor_limit()
    figures = asyncio.run(_measure(streams, rounds))
    results.row(f"{streams:,} streams", **figures)
    results.target("streams_memory", figures["MB_in_all"])
    results.target("streams_delay", figures["ms_until_all_have_an_event"])


async def _measure(streams: int, rounds: int) -> dict[str, list[float]]:
    async with running_service(workers=1, MAX_CONNECTIONS_PER_ADDRESS="0") as service:
        client = await service.client()
        for number in range(WARM_UP_JOBS):
            await _run_job(client, number)
        before = _memory(service)
        began = time.perf_counter()
        opened = await _open(service, client, streams)
        seconds = time.perf_counter() - began
        delays, processor = [], []
        for number in range(WARM_UP_JOBS, WARM_UP_JOBS + rounds):
            cpu = service.cpu()["api"]
            delays.append(await _delay(client, opened, number))
            processor.append(service.cpu()["api"] - cpu)
        after = _memory(service)
        for stream in opened:
            stream.close()
        return {
            "opened_per_s": [streams / seconds],
            "MB_in_all": [after / 1e6],
            "KB_a_stream": [(after - before) / streams / 1e3],
            "ms_until_all_have_an_event": [1e3 * delay for delay in delays],
            "s_of_api_a_job": processor,
        }


class _Stream(asyncio.Protocol):
    """A connection that follows an account. It only looks for the end of the current job."""

    def __init__(self, key: str) -> None:
        self._request = (
            f"GET /v1/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n"
        ).encode()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        loop = asyncio.get_running_loop()
        self.began: asyncio.Future[float] = loop.create_future()
        self.ended: asyncio.Future[float] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        text = self._rest + data
        self._rest = text[-30:]
        if not self.began.done() and b"\nid: " in text:
            self.began.set_result(time.time())
        if not self.ended.done() and b'"state":"completed"' in text:
            self.ended.set_result(time.time())

    def connection_lost(self, _: Exception | None) -> None:
        for future in (self.began, self.ended):
            if not future.done():
                future.set_exception(ConnectionError("the api has closed a stream"))

    def expect_end(self) -> None:
        """Begin to look for the end of the next job."""
        self._rest = b""
        self.ended = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Close the connection."""
        assert self._transport is not None
        for future in (self.began, self.ended):
            future.cancel()
        self._transport.abort()


async def _open(service: Service, client: Client, count: int) -> list[_Stream]:
    opened: list[_Stream] = []
    loop = asyncio.get_running_loop()
    while len(opened) < count:
        some = [_Stream(client.key) for _ in range(min(AT_ONCE, count - len(opened)))]
        async with asyncio.timeout(OPEN_SECONDS):
            await asyncio.gather(
                *(loop.create_connection(partial(_same, one), HOST, service.port) for one in some)
            )
            await asyncio.gather(*(one.began for one in some))
        opened += some
    return opened


def _same(stream: _Stream) -> _Stream:
    return stream


async def _delay(client: Client, streams: list[_Stream], number: int) -> float:
    """Run a job. Return the seconds from its end until all streams know it."""
    for stream in streams:
        stream.expect_end()
    ended = await _run_job(client, number)
    async with asyncio.timeout(EVENT_SECONDS):
        times = await asyncio.gather(*(stream.ended for stream in streams))
    return max(times) - ended


async def _run_job(client: Client, number: int) -> float:
    """Run a small job to its end. Return the time of the end."""
    ((phone, *_),) = contact_rows([number])
    job = await client.submit("contacts.upsert", f'{{"phone": "{phone}"}}\n'.encode())
    job = await client.ended(job)
    return datetime.fromisoformat(job["finished_at"]).timestamp()


def _memory(service: Service) -> int:
    (api,) = service.apis
    assert api.pid is not None
    return resident_bytes(api.pid)
