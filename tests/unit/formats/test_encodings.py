"""Content encodings: bodies are decoded, a bomb needs little memory, and damage is reported."""

import gzip
import sys
import zlib
from collections.abc import Callable
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MalformedBody, UnsupportedFormat
from schemas.formats.encodings import FRAME_BYTES, FREE_FRAMES, PIECE_BYTES, decoder_for

from .feeding import CUTS, pump, pump_cut

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GIGABYTE = 1024**3


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "zstd": zstd.compress,
}
COMPRESSED = ["gzip", "deflate", "Deflate", "zstd"]
every_encoding = pytest.mark.parametrize("name", ENCODERS)
compressed = pytest.mark.parametrize("name", COMPRESSED)


@every_encoding
@given(data=st.binary(max_size=400), cuts=CUTS)
def test_an_encoded_body_is_decoded_however_it_is_fed(name: str, data: bytes, cuts: list[int]) -> None:
    assert b"".join(pump_cut(decoder_for(name), ENCODERS[name](data), cuts)) == data


@every_encoding
def test_a_long_output_is_decoded_in_bounded_pieces(name: str) -> None:
    data = b"".join(b"+49151%07d;" % number for number in range(300_000))

    pieces = pump(decoder_for(name), ENCODERS[name](data), size=64 * 1024)

    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= PIECE_BYTES


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@given(frames=st.lists(st.binary(max_size=40), max_size=5), cuts=CUTS)
def test_several_frames_are_one_body(name: str, frames: list[bytes], cuts: list[int]) -> None:
    body = b"".join(ENCODERS[name](frame) for frame in frames)

    assert b"".join(pump_cut(decoder_for(name), body, cuts)) == b"".join(frames)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.parametrize("content", [b"", b"x"])
def test_thousands_of_tiny_frames_are_refused_before_most_are_decoded(name: str, content: bytes) -> None:
    pieces: list[bytes] = []

    with pytest.raises(MalformedBody, match="tiny frames") as caught:
        pieces.extend(decoder_for(name).feed(ENCODERS[name](content) * 300_000))

    assert caught.value.code == "invalid_encoding"
    assert len(pieces) <= 2 * FREE_FRAMES


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_many_frames_of_a_usual_size_are_decoded(name: str) -> None:
    block = bytes(FRAME_BYTES)
    body = ENCODERS[name](block) * (3 * FREE_FRAMES)

    assert sum(map(len, decoder_for(name).feed(body))) == len(block) * 3 * FREE_FRAMES


def test_zeros_after_a_gzip_member_are_padding() -> None:
    body = gzip.compress(b"a") + bytes(20_000) + gzip.compress(b"b") + bytes(3)

    assert b"".join(pump(decoder_for("gzip"), body, size=5)) == b"ab"


@compressed
@given(data=st.binary(min_size=1, max_size=60), missing=st.integers(min_value=1, max_value=100))
def test_a_truncated_body_is_refused(name: str, data: bytes, missing: int) -> None:
    whole = ENCODERS[name](data)
    part = whole[: max(1, len(whole) - missing)]

    with pytest.raises(MalformedBody, match="ends too early") as caught:
        pump(decoder_for(name), part)

    assert caught.value.code == "invalid_encoding"


@compressed
def test_bytes_in_another_encoding_are_refused(name: str) -> None:
    with pytest.raises(MalformedBody, match="is not valid") as caught:
        pump(decoder_for(name), b"\xff\xffphone,name\r\n+4915112345678,Jane\r\n")

    assert caught.value.code == "invalid_encoding"


def test_a_second_deflate_stream_is_refused() -> None:
    with pytest.raises(MalformedBody, match="more bytes follow its end"):
        pump(decoder_for("deflate"), zlib.compress(b"x") * 2)


def test_output_that_zlib_holds_back_after_a_full_piece_is_returned() -> None:
    for extra in range(600):
        data = bytes(PIECE_BYTES + extra)

        assert b"".join(pump(decoder_for("deflate"), raw_deflate(data), size=10_000)) == data


def test_a_flipped_bit_fails_the_checksum() -> None:
    body = bytearray(gzip.compress(b"phone\n+4915112345678\n"))
    body[-6] ^= 1

    with pytest.raises(MalformedBody, match="is not valid gzip"):
        pump(decoder_for("gzip"), bytes(body))


@compressed
def test_other_bytes_after_the_end_are_refused(name: str) -> None:
    with pytest.raises(MalformedBody, match="is not valid"):
        pump(decoder_for(name), ENCODERS[name](b"x") + b"garbage")


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_decoded_in_bounded_pieces(name: str) -> None:
    bomb = _zeros(name, GIGABYTE)
    assert len(bomb) < 5 * 1024**2

    pieces = list(islice(decoder_for(name).feed(bomb), 200))

    assert [len(piece) for piece in pieces if len(piece) > PIECE_BYTES] == []
    assert sum(map(len, pieces)) > 10 * 1024**2


def test_a_zstd_frame_that_needs_a_huge_window_is_refused() -> None:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    squeeze = zstd.ZstdCompressor(options=options)
    body = squeeze.compress(b"x" * 100, zstd.ZstdCompressor.FLUSH_BLOCK) + squeeze.flush()

    with pytest.raises(MalformedBody, match="too much memory"):
        pump(decoder_for("zstd"), body)


@pytest.mark.parametrize("header", [None, "", "identity", " identity , ", "identity, GZIP"])
def test_identity_changes_nothing(header: str | None) -> None:
    body = gzip.compress(b"x") if header and "GZIP" in header else b"x"

    assert pump(decoder_for(header), body) == [b"x"]


@pytest.mark.parametrize("header", ["br", "gzip, gzip", "gzip;q=1", "compress"])
def test_an_unknown_encoding_is_refused_with_the_known_ones(header: str) -> None:
    with pytest.raises(UnsupportedFormat, match="identity, gzip, deflate and zstd"):
        decoder_for(header)


def _zeros(name: str, size: int) -> bytes:
    block = bytes(1024**2)
    if name == "zstd":
        squeeze = zstd.ZstdCompressor()
        return b"".join(squeeze.compress(block) for _ in range(size // len(block))) + squeeze.flush()
    deflate = zlib.compressobj(level=1, wbits=31 if name == "gzip" else 15)
    return b"".join(deflate.compress(block) for _ in range(size // len(block))) + deflate.flush()
