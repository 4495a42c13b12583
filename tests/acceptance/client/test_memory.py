"""The client sends any number of rows in constant memory."""

import asyncio
import sys

import pytest

from tests.acceptance.client.front import front_of, refusal

MEMORY_MIB = 48  # more than at the start: a piece, its compressed form, and the buffers of a connection
SEND_200_MIB = f"""
import resource, sys
from bulklane import Bulklane, InvalidRequestError

rows = ({{"phone": str(number), "metadata": {{"text": "x" * 10_000}}}} for number in range(20_000))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

with Bulklane(key="key", url=sys.argv[1]) as client:
    before = peak()
    try:
        client.jobs.submit(rows, compression="none")
    except InvalidRequestError as error:
        assert error.code == "prepared", error
    grown = peak() - before
    assert grown < {MEMORY_MIB}, f"grew by {{grown}} MiB"
"""


@pytest.mark.slow
async def test_200_mib_of_rows_are_sent_in_constant_memory() -> None:
    async with front_of(("127.0.0.1", 1), refusal(422, "prepared"), keep=False) as front:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SEND_200_MIB, front.url, stderr=asyncio.subprocess.PIPE
        )
        _, trouble = await process.communicate()
        assert process.returncode == 0, trouble.decode()
