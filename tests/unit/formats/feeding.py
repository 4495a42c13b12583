"""Feed a pipe in every way that a network may."""

from itertools import pairwise

from hypothesis import strategies as st

from schemas.formats.encodings import Pipe


def pump(pipe: Pipe, data: bytes, size: int = 7) -> list[bytes]:
    """Everything that comes out of a pipe, fed in pieces of one size."""
    return pump_cut(pipe, data, list(range(size, len(data), size)))


def pump_cut(pipe: Pipe, data: bytes, cuts: list[int]) -> list[bytes]:
    """The same, fed in pieces that end at `cuts`."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    fed = [piece for start, end in pairwise(edges) for piece in pipe.feed(data[start:end])]
    return [*fed, *pipe.flush()]


CUTS = st.lists(st.integers(min_value=0, max_value=300), max_size=12)
