"""Compress what is sent, and read it back. zstd needs Python 3.14 or the package backports.zstd."""

import gzip
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO, Literal, Protocol, TypeAlias, cast

from bulklane.errors import ConfigurationError

Compression: TypeAlias = Literal["gzip", "zstd", "none"]
SUFFIXES: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
GZIP = zlib.MAX_WBITS | 16  # zlib writes the header and the trailer of gzip
FAST = 1  # a level: the network is seldom faster than this one, and higher ones save little


class Compressor(Protocol):
    """What zlib and zstd have in common."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what can be sent by now."""

    def flush(self) -> bytes:
        """Return the rest."""


class Plain:
    """Compresses nothing."""

    def compress(self, data: bytes, /) -> bytes:
        """Return the data."""
        return data

    def flush(self) -> bytes:
        """Return nothing: nothing is held back."""
        return b""


def compressor(compression: Compression) -> Compressor:
    """Return a new compressor. Raises ConfigurationError if zstd is not installed."""
    match compression:
        case "gzip":
            return zlib.compressobj(FAST, wbits=GZIP)
        case "zstd":
            return cast("Compressor", _zstd().ZstdCompressor())
        case "none":
            return Plain()
    raise ConfigurationError(f"compression={compression!r} is unknown: use gzip, zstd or none")


def opener(compression: Compression) -> Callable[[BinaryIO], BinaryIO]:
    """Return the function that opens a compressed file to read what was compressed."""
    match compression:
        case "gzip":
            return lambda file: cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))
        case "zstd":
            return lambda file: cast("BinaryIO", _zstd().ZstdFile(file, "rb"))
        case "none":
            return lambda file: file


def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ConfigurationError("zstd is not installed: pip install 'bulklane-client[zstd]', or use gzip")
