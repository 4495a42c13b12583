"""Feed a pipe in pieces of any size, as a network delivers them."""

from itertools import pairwise

from hypothesis import strategies as st

from schemas.formats.encodings import Pipe


def pump(pipe: Pipe, data: bytes, size: int = 7) -> list[bytes]:
    """Feed a pipe in pieces of `size` bytes, and return its output."""
    return pump_cut(pipe, data, list(range(size, len(data), size)))


def pump_cut(pipe: Pipe, data: bytes, cuts: list[int]) -> list[bytes]:
    """Feed a pipe in pieces that end at the offsets `cuts`, and return its output."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    fed = [piece for start, end in pairwise(edges) for piece in pipe.feed(data[start:end])]
    return [*fed, *pipe.flush()]


CUTS = st.lists(st.integers(min_value=0, max_value=300), max_size=12)
