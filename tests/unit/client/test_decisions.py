"""What the client decides without a connection: repeat or not, events, errors, settings."""

import json
from typing import Any

import httpx2
import pytest

from bulklane import (
    APIError,
    Bulklane,
    BulklaneError,
    ConfigurationError,
    ConnectionLost,
    InvalidRequestError,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from bulklane.calls import error_of, path, query_text
from bulklane.decode import decode
from bulklane.models import Counts
from bulklane.retries import Attempts
from bulklane.server_events import EventReader

COUNTS = {
    "created": 1,
    "updated": 0,
    "unchanged": 0,
    "merged": 0,
    "skipped": 0,
    "failed": 0,
    "cancelled": 0,
    "pending": 0,
}
JOB = {
    "id": "job_1",
    "operation": "contacts.upsert",
    "state": "running",
    "stream": "contacts",
    "total": 1,
    "name": None,
    "tags": [],
    "file_name": None,
    "counts": COUNTS,
    "memberships": {"added": 0, "removed": 0},
    "progress": 0.5,
    "position": 0,
    "throttled_until": None,
    "eta": None,
    "error": None,
    "errors_url": "",
    "results_url": "",
    "events_url": "",
    "dry_run": False,
    "max_errors": None,
    "parent_id": None,
    "undoes": None,
    "request_id": "req_1",
    "received_at": "2026-03-15T08:30:00Z",
    "accepted_at": None,
    "started_at": None,
    "finished_at": None,
}


def refusal(status: int, code: str = "some_code", **headers: str) -> APIError:
    problem = {"type": "t", "code": code, "message": "m", "param": "p", "request_id": "req_1"}
    return error_of(status, json.dumps({"error": problem}).encode(), headers)


LOST, NEVER_SENT = ConnectionLost("lost", sent=True), ConnectionLost("refused", sent=False)


@pytest.mark.parametrize(
    ("error", "when_repeatable", "always"),
    [
        (LOST, True, False),
        (NEVER_SENT, True, True),
        (refusal(429), True, True),
        (refusal(503), True, True),
        (refusal(502), True, False),
        (refusal(504), True, False),
        (refusal(409, "idempotency_in_progress"), True, False),
        (refusal(429, "too_many_failed_keys"), False, False),
        (refusal(422), False, False),
        (refusal(500), False, False),
        (refusal(409), False, False),
    ],
)
def test_only_what_cannot_be_applied_twice_is_repeated(
    error: BulklaneError, when_repeatable: bool, always: bool
) -> None:
    policy = RetryPolicy()
    assert (Attempts(policy, repeatable=True).pause(error) is not None) is when_repeatable
    assert (Attempts(policy, repeatable=False).pause(error) is not None) is always


def test_pauses_grow_and_end_and_obey_retry_after() -> None:
    attempts = Attempts(RetryPolicy(retries=4, first=1.0, longest=4.0), repeatable=True)
    pauses = [attempts.pause(LOST) for _ in range(5)]
    assert pauses[-1] is None
    for pause, most in zip(pauses, (1, 2, 4, 4), strict=False):
        assert pause is not None
        assert most / 2 <= pause <= most
    with_deadline = Attempts(RetryPolicy(retries=0), repeatable=True, always=True)
    assert all(with_deadline.pause(LOST) for _ in range(100))
    told = Attempts(RetryPolicy(), repeatable=False).pause(refusal(429, **{"Retry-After": "7"}))
    assert told is not None
    assert 7 <= told < 8
    assert Attempts(RetryPolicy(), repeatable=True).pause(refusal(503, **{"Retry-After": "3600"})) is None


def test_an_upload_that_the_service_still_receives_is_waited_for() -> None:
    attempts = Attempts(RetryPolicy(retries=1, in_progress=15), repeatable=True)
    error = refusal(409, "idempotency_in_progress")
    pauses = [attempts.pause(error) for _ in range(16)]
    assert pauses.pop() is None
    assert sum(pause for pause in pauses if pause) > 40
    assert attempts.pause(LOST) is not None  # counted apart


def test_an_error_has_the_fields_of_its_envelope() -> None:
    problems = [
        {"type": "t", "code": c, "message": "m", "param": "p", "request_id": "req_1", "new": 1} for c in "ab"
    ]
    error = error_of(422, json.dumps({"error": problems[0], "errors": problems}).encode(), {})
    assert type(error) is InvalidRequestError
    assert (error.status, error.code, error.param, error.request_id) == (422, "a", "p", "req_1")
    assert [problem.code for problem in error.problems] == ["a", "b"]
    assert type(error_of(429, b"", {"Retry-After": "3"})) is RateLimitError
    proxy = error_of(502, b"<html>Bad gateway", {})
    assert (type(proxy), proxy.code, proxy.message) == (ServerError, "http_502", "<html>Bad gateway")


def test_events_are_read_from_pieces_of_any_size() -> None:
    text = (
        f": sign of life\n\nretry: 250\nid: 1\n\nevent: job\nid: 2\ndata: {json.dumps(JOB)}\n\n"
        f"event: later\ndata: x\n\nevent: reset\nid: 3\ndata: {{}}\n\n"
        f"event: job\r\nid: 4\r\ndata: {json.dumps({**JOB, 'state': 'completed', 'new_field': 1})}\r\n\r\n"
    ).encode()
    for size in (1, 7, len(text)):
        reader = EventReader()
        events = [event for at in range(0, len(text), size) for event in reader.feed(text[at : at + size])]
        assert [(event.id, event.kind) for event in events] == [("2", "job"), ("3", "reset"), ("4", "job")]
        assert events[0].job is not None
        assert (events[0].job.progress, events[1].job, reader.retry) == (0.5, None, 0.25)
        assert reader.ended


def test_an_event_that_was_cut_is_asked_for_again() -> None:
    reader = EventReader()
    assert not list(reader.feed(b'id: 4\n\nid: 5\nevent: job\ndata: {"half'))
    reader.cut()
    assert reader.last_id == "4"  # after 5, the service would leave the event out
    assert [event.kind for event in reader.feed(b"event: reset\ndata: {}\n\n")] == ["reset"]


def test_unknown_fields_are_ignored_and_missing_ones_named() -> None:
    assert decode(Counts, {**COUNTS, "later": 1}).created == 1
    with pytest.raises(ValueError, match="Counts in the response lacks 'created'"):
        decode(Counts, {})


def test_a_query_has_the_texts_that_the_service_reads() -> None:
    query: dict[str, Any] = {"a": True, "b": None, "c": ["x", "y"], "d": 5, "map.Mobile": "phone"}
    assert query_text(query) == (("a", "true"), ("c", "x,y"), ("d", "5"), ("map.Mobile", "phone"))


def test_an_id_cannot_become_another_path() -> None:
    assert path("v1", "jobs", "a/b?c") == "/v1/jobs/a%2Fb%3Fc"
    for wrong in ("", ".", ".."):
        with pytest.raises(ConfigurationError, match="is no id"):
            path("v1", "jobs", wrong)


def test_the_client_says_what_it_lacks_and_hides_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BULKLANE_API_KEY", "BULKLANE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="BULKLANE_API_KEY"):
        Bulklane()
    with pytest.raises(ConfigurationError, match="BULKLANE_URL"):
        Bulklane(key="bl_secret")
    with pytest.raises(ConfigurationError, match="is not a URL"):
        Bulklane(key="bl_secret", url="localhost:8080")
    with pytest.raises(ConfigurationError, match="a user or a password") as caught:
        Bulklane(key="bl_secret", url="http://me:my-secret@localhost")
    assert "my-secret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="a space"):
        Bulklane(key="bl secret", url="http://localhost")
    monkeypatch.setenv("BULKLANE_API_KEY", "bl_secret\n")
    monkeypatch.setenv("BULKLANE_URL", "http://localhost:1/")
    with Bulklane() as client:
        assert "secret" not in repr(client) + repr(vars(client))


def test_an_http_client_of_the_caller_stays_open() -> None:
    with httpx2.Client() as http:
        with Bulklane(key="bl_1_key", url="http://127.0.0.1", http=http):
            pass
        assert not http.is_closed
    own = Bulklane(key="bl_1_key", url="http://127.0.0.1")
    own.close()
    assert own._transport._http.is_closed
