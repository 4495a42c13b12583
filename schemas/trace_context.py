"""The place in a trace, as W3C Trace Context writes it: the headers `traceparent` and `tracestate`.

A job keeps it as one text, `00-<trace>-<span>-<flags>`, and after a space the `tracestate`, if there is one.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

MOST_STATE = 512  # characters of `tracestate` that W3C asks us to pass on
MOST_MEMBERS = 32
KNOWN_FLAGS = 0b11  # sampled, and random trace id

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_KEY = r"[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
_MEMBER = re.compile(rf"({_KEY})=[ -+\--<>-~]{{0,255}}[!-+\--<>-~]", re.ASCII)


class TracePlace(NamedTuple):
    """A span, and how its trace goes on: whether it is sampled, and what other systems noted."""

    trace_id: int
    span_id: int
    flags: int
    state: str = ""

    @property
    def sampled(self) -> bool:
        """Whether the spans of this trace are kept."""
        return bool(self.flags & 1)

    @property
    def shown_trace(self) -> str:
        """The id of the trace, as other programs show it."""
        return f"{self.trace_id:032x}"

    @property
    def text(self) -> str:
        """The text that a job keeps."""
        return " ".join(self.headers.values())

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request that is a part of this trace."""
        parent = f"00-{self.shown_trace}-{self.span_id:016x}-{self.flags:02x}"
        return {"traceparent": parent, **({"tracestate": self.state} if self.state else {})}


@lru_cache(maxsize=128)  # a worker reads that of a job for each of its chunks
def read_place(text: str | None) -> TracePlace | None:
    """Return the place that a job keeps, or None: it has none, or has one in a form of a newer release."""
    parent, _, state = (text or "").partition(" ")
    return place_of([parent], [state])


def place_of(parents: Sequence[str], states: Sequence[str]) -> TracePlace | None:
    """Return the place that the headers of a request name, or None: there is none, or it is not valid.

    Both are lists, because a header may come several times.
    """
    found = _PARENT.fullmatch(parents[0].strip()) if len(parents) == 1 else None
    if found is None:
        return None
    version, trace_id, span_id = found[1], int(found[2], 16), int(found[3], 16)
    if version == "ff" or (version == "00" and found[5]) or not trace_id or not span_id:
        return None
    return TracePlace(trace_id, span_id, int(found[4], 16) & KNOWN_FLAGS, _state(states))


def _state(states: Sequence[str]) -> str:
    """Return the joined `tracestate`, or an empty text if it is not one to pass on.

    The SDK would write a member that is not valid into the log.
    """
    members = [member for text in ",".join(states).split(",") if (member := text.strip(" \t"))]
    joined = ",".join(members)
    valid = (
        len(joined) <= MOST_STATE and len(members) <= MOST_MEMBERS and all(map(_MEMBER.fullmatch, members))
    )
    keys = {member.partition("=")[0] for member in members}
    return joined if valid and len(keys) == len(members) else ""
