"""`./run bench memory`: the peak of the resident memory of api and worker during a large upload.

A tenth of the size comes first. If memory does not grow with the upload, both peaks are equal.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from bench.lab.machine import peak_bytes
from bench.lab.options import Workers
from bench.lab.results import Results
from bench.lab.rows import contact_rows
from bench.lab.service import Service, running_service

RECORD_BYTES = 1_000
PIECE_RECORDS = 250


def measure(
    results: Results,
    *,
    megabytes: Annotated[int, typer.Option(min=10, help="Size of the upload.")] = 1_000,
    workers: Workers = 2,
) -> None:
    """Measure the memory of api and worker during a large upload."""
    small, large = asyncio.run(_measure(megabytes, workers))
    for role in ("api", "worker"):
        results.row(
            role,
            **{
                f"MB_after_{megabytes // 10:,}_MB": small[role] / 1e6,
                f"MB_after_{megabytes:,}_MB": large[role] / 1e6,
            },
        )
        results.target(f"memory_{role}", large[role] / 1e6)


async def _measure(megabytes: int, workers: int) -> tuple[dict[str, int], dict[str, int]]:
    async with running_service(workers=workers) as service:
        client = await service.client()
        peaks = []
        for size in (megabytes // 10, megabytes):
            records = size * 1_000_000 // RECORD_BYTES
            await client.ended(await client.submit("contacts.upsert", _pieces(records)))
            peaks.append(_peaks(service))
        return peaks[0], peaks[1]


def _peaks(service: Service) -> dict[str, int]:
    roles = {"api": service.apis, "worker": service.workers}
    return {role: max(peak_bytes(one.pid) for one in found if one.pid) for role, found in roles.items()}


async def _pieces(records: int) -> AsyncIterator[bytes]:
    """Yield NDJSON whose records have RECORD_BYTES bytes, without holding it in memory."""
    for start in range(0, records, PIECE_RECORDS):
        yield b"".join(map(_record, range(start, min(records, start + PIECE_RECORDS))))


def _record(number: int) -> bytes:
    ((phone, name, email, _, _),) = contact_rows([number])
    start = f'{{"phone": "{phone}", "name": "{name}", "email": "{email}", "metadata": {{"note": "'.encode()
    return start + b"n" * (RECORD_BYTES - len(start) - 5) + b'"}}\n'
