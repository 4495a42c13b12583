"""A client that does not take what is written gets no more, and catches up from where it stands."""

import asyncio

from api.feeds.event_follower import Event, Follower, Piece
from schemas.ids import new_job_id
from storage.pipeline.changes import Cursor


class Wire(asyncio.WriteTransport):
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.text = b""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Accept any limits."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the text."""
        self.text += data

    def is_closing(self) -> bool:
        """Return that it is open."""
        return False


def _piece(at: int) -> Piece:
    text = f"event {at}\n".encode()
    return Piece([Event(job_id=new_job_id(), ended=False, receiving=False, cursor=Cursor(at=at), text=text)])


async def test_a_follower_catches_up_from_the_last_event_that_was_written_to_it() -> None:
    wire, caught_up = Wire(), list[int]()
    follower = Follower(Cursor(at=1), None, chunked=False)
    follower.catch_up = lambda it: caught_up.append(it.cursor.at)
    follower.connection_made(wire)
    follower.live = True
    follower.take([_piece(2)], Cursor(at=1))
    assert (wire.text, follower.live, follower.cursor.at) == (b"event 2\n", True, 2)

    follower.pause_writing()  # the client takes nothing more
    follower.take([_piece(4), _piece(5)], Cursor(at=3))
    assert (wire.text, follower.live, caught_up) == (b"event 2\n", False, [])
    follower.resume_writing()
    assert caught_up == [3]  # `before` covers all events before those

    follower.live = True
    follower.take([_piece(4), _piece(5)], Cursor(at=3))  # more than one piece at once
    assert (wire.text, follower.live, caught_up) == (b"event 2\nevent 4\n", False, [3, 4])
