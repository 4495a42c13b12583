"""What is submitted becomes bytes, the same ones for each attempt."""

import asyncio
import gzip
import io
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bulklane import RowError, SourceError
from bulklane._async.body import AsyncBody
from bulklane._sync.body import Body
from bulklane.compression import Compression
from bulklane.rows import Format
from bulklane.sources import open_source, sent_rows
from schemas.formats.csv_header import Header, find_header
from tests.unit.client.sending import LINES, ROWS, found, sent


@dataclass
class Person:
    phone: str
    metadata: dict[str, Any]


class OnlyRead:
    """A pipe, such as `sys.stdin.buffer`."""

    name = "<stdin>"

    def __init__(self) -> None:
        self._left = [b"", b"phone\n1\n"]

    def read(self, size: int, /) -> bytes:
        return self._left.pop()


class NotBlocking:
    """A pipe that does not wait for its writer."""

    def read(self, size: int, /) -> bytes | None:
        return None


class Frame:
    """What pandas and polars have in common, with the values that they make of a file with gaps."""

    columns = ("phone", "Customer No", "metadata.since", "vip")

    def iter_rows(self) -> Iterator[tuple[Any, ...]]:
        yield 4155552671.0, float("nan"), date(2026, 1, 2), True
        yield None, 17, None, None


def test_rows_of_any_kind_become_lines() -> None:
    for source in (ROWS, iter(ROWS), (row for row in ROWS)):
        body, data = sent(source)
        assert [json.loads(line) for line in data.splitlines()] == ROWS
        assert found(body, 3) == [*ROWS, None]
    _, data = sent([Person("1", {"n": Decimal("1.50")}), "ctc_1", 7])
    assert data.splitlines() == [b'{"phone":"1","metadata":{"n":1.5}}', b'"ctc_1"', b"7"]


def test_a_frame_becomes_csv_without_changing_a_value() -> None:
    body, data = sent(Frame())
    assert data == b"phone,Customer No,metadata.since,vip\r\n4155552671,,2026-01-02,true\r\n,17,,\r\n"
    assert found(body, 2)[1] == {"phone": "", "Customer No": "17", "metadata.since": "", "vip": ""}


def test_a_separator_in_the_name_of_a_column_separates_nothing() -> None:
    class Wide:
        columns = ("phone", "city; street; number")

        def iter_rows(self) -> Iterator[tuple[Any, ...]]:
            yield "1", "x"

    body, data = sent(Wide())
    assert find_header(data, final=True) == Header(0, data.index(b"\r\n") + 2, ",")
    assert found(body, 1) == [{"phone": "1", "city; street; number": "x"}]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_real_libraries_become_csv(library: str) -> None:
    frames = pytest.importorskip(library)
    table = {"phone": [4155552671, None], "tags": [["a"], None], "name": ["Ana", "x,y"]}
    _, data = sent(frames.DataFrame(table))
    assert data == b'phone,tags,name\r\n4155552671,"[""a""]",Ana\r\n,,"x,y"\r\n'
    if library == "polars":
        with pytest.raises(SourceError, match=r"collect\(\)"):
            sent(frames.DataFrame(table).lazy())


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_a_source_that_can_be_read_once_is_sent_twice(compression: Compression) -> None:
    body = Body(open_source(({"phone": str(n)} for n in range(30_000)), None, None), compression)
    first = body.pieces()
    begun = next(first)
    del first  # the connection was cut
    again = b"".join(body.pieces())
    assert again.startswith(begun)
    assert again == b"".join(body.pieces())
    assert found(body, 30_000)[29_999] == {"phone": "29999"}


def test_an_asynchronous_source_is_sent_twice() -> None:
    async def rows() -> AsyncIterator[dict[str, str]]:
        for number in range(30_000):
            yield {"phone": str(number)}

    async def cut_once() -> None:
        body = AsyncBody(open_source(rows(), None, None), "none")
        first = body.pieces()
        begun = await anext(first)
        await first.aclose()  # type: ignore[attr-defined]  # it is a generator
        again = b"".join([piece async for piece in body.pieces()])
        assert again.startswith(begun)
        assert again.count(b"\n") == 30_000

    asyncio.run(cut_once())


def test_a_long_source_lets_other_tasks_run() -> None:
    async def count_turns() -> tuple[int, int]:
        body = AsyncBody(open_source(({"phone": str(n)} for n in range(30_000)), None, None), "none")
        sending = asyncio.create_task(_sizes(body))
        turns = 0
        while not sending.done():
            turns += 1
            await asyncio.sleep(0)
        return turns, len(await sending)

    turns, pieces = asyncio.run(count_turns())
    assert turns >= pieces > 5


async def _sizes(body: AsyncBody) -> list[int]:
    return [len(piece) async for piece in body.pieces()]


def test_a_source_that_fails_is_not_continued_without_its_rest() -> None:
    def rows() -> Iterator[dict[str, str]]:
        yield {"phone": "1"}
        raise OSError("the disk is gone")

    body = Body(open_source(rows(), None, None), "gzip")
    with pytest.raises(OSError, match="the disk is gone"):
        b"".join(body.pieces())
    with pytest.raises(SourceError, match="failed in an earlier attempt") as caught:
        b"".join(body.pieces())
    assert isinstance(caught.value.__cause__, OSError)


def test_a_path_is_read_again_unless_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "contacts.ndjson.gz"
    path.write_bytes(gzip.compress(LINES))
    body = Body(open_source(path, None, None), "zstd")
    assert body.headers == {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    assert gzip.decompress(b"".join(body.pieces())) == gzip.decompress(b"".join(body.pieces())) == LINES
    assert found(body, 2) == ROWS
    path.write_bytes(gzip.compress(LINES + LINES))
    with pytest.raises(SourceError, match="has changed"):
        b"".join(body.pieces())
    path.unlink()
    with pytest.raises(SourceError, match="is gone"):
        found(body, 1)


def test_a_pipe_is_sent_twice(tmp_path: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    writing = Thread(target=path.write_bytes, args=(b"phone\n" + b"14155552671\n" * 20_000,))
    writing.start()
    body = Body(open_source(path, None, None), "none")
    first = body.pieces()
    begun = next(first)
    again = b"".join(body.pieces())
    writing.join()
    assert again.startswith(begun)
    assert again.count(b"\n") == 20_001
    assert again == b"".join(body.pieces())
    with pytest.raises(SourceError, match="is no file that can be read again"):
        sent_rows(path, None, None)


def test_open_files_and_pieces_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("phone,name\n1,Jürgen\n")
    with path.open("rb") as binary, path.open() as text:
        for source in (binary, text):
            body, data = sent(source)
            assert data == path.read_bytes()
            assert found(body, 1) == [{"phone": "1", "name": "Jürgen"}]
    _, data = sent(iter([b"phone,", b"name\n1,J\n"]), "csv")
    assert data == b"phone,name\n1,J\n"
    assert sent(b"phone\n1\n", "csv")[1] == b"phone\n1\n"
    assert sent(OnlyRead(), "csv")[1] == b"phone\n1\n"
    assert open_source(OnlyRead(), "csv", None).file_name is None


def test_what_cannot_be_sent_is_refused_with_a_cure(tmp_path: Path) -> None:
    read = io.BytesIO(b"phone\n1\n")
    read.read()
    path = tmp_path / "contacts.dat"
    path.write_bytes(b"")
    cases: list[tuple[Any, Format | None, str]] = [
        ({"phone": "1"}, None, "put it into a list"),
        ("phone,name\n1,Ana\n", None, "taken as a path"),
        (path, None, "give format="),
        (read, "csv", r"call seek\(0\)"),
        (iter([b"phone\n"]), None, "tell what they are"),
        (iter([{"phone": "1"}]), "csv", "leave format= out"),
        (17, None, "int cannot be sent"),
        (
            [{"phone": "1"}, {"age": float("nan")}],
            None,
            "row 1 .* cannot be written as JSON .* leave the field out",
        ),
        ([{"phone": "\ud800"}], None, "row 0 .* surrogate"),
        ([{"phone": object()}], None, "row 0 .* object has no form in JSON"),
        ([{"age": Decimal("Infinity")}], None, "row 0 .* leave the field out"),
        (NotBlocking(), "csv", "blocking mode"),
    ]
    for source, format_, message in cases:
        with pytest.raises(SourceError, match=message):
            sent(source, format_)
    with pytest.raises(SourceError, match="leave charset= out"):
        Body(open_source(io.StringIO("name\nJürgen\n"), "csv", "cp1252"), "none").pieces().__next__()
    with pytest.raises(RowError) as caught:
        sent([{"a": 1}, {"a": {1, object()}}])
    assert caught.value.index == 1

    async def rows() -> AsyncIterator[dict[str, str]]:
        yield {"phone": "1"}

    with pytest.raises(SourceError, match="use AsyncBulklane"):
        sent(rows())
