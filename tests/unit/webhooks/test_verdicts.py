"""What follows an attempt: backoff with jitter for a day, Retry-After, and the ends."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from schemas.settings import Settings
from schemas.webhooks.event_types import DeliveryState
from schemas.webhooks.signature import headers_of, new_secret, show_secret
from schemas.webhooks.verdicts import DAY_SECONDS, Answer, Verdict, read_retry_after, verdict_of

DELAYS = Settings().webhook_retry_seconds
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def after(status: int | None, *, tries: int = 1, age: float = 0, retry_after: float | None = None) -> Verdict:
    answer = Answer(status=status, milliseconds=1, retry_after=retry_after)
    return verdict_of(answer, tries=tries, age_seconds=age, delays=DELAYS, chance=0.5)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_2xx_delivers(status: int) -> None:
    assert after(status).state is DeliveryState.DELIVERED


@pytest.mark.parametrize(
    "status", [None, 100, 199, 300, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503, 599]
)
def test_anything_else_is_retried(status: int | None) -> None:
    assert after(status).state is DeliveryState.WAITING


def test_a_410_ends_the_delivery_and_the_webhook() -> None:
    assert after(410) == Verdict(state=DeliveryState.FAILED, gone=True)


@given(chance=st.floats(0, 1))
def test_a_message_is_tried_ten_times_within_a_day(chance: float) -> None:
    waited, tries = 0.0, 1
    failed = Answer(status=500, milliseconds=1)
    while True:
        verdict = verdict_of(failed, tries=tries, age_seconds=waited, delays=DELAYS, chance=chance)
        if verdict.state is DeliveryState.FAILED:
            break
        assert DELAYS[tries - 1] <= verdict.delay_seconds <= 1.2 * DELAYS[tries - 1] + 1e-6
        waited, tries = waited + verdict.delay_seconds, tries + 1
    assert tries == 10
    assert 0.8 * DAY_SECONDS < waited < DAY_SECONDS


def test_a_message_that_waited_a_day_behind_others_is_tried_once() -> None:
    assert after(500, tries=1, age=DAY_SECONDS).state is DeliveryState.FAILED


def test_a_longer_retry_after_is_obeyed_up_to_a_day() -> None:
    assert after(429, retry_after=100).delay_seconds == 100
    assert after(429, retry_after=1).delay_seconds == pytest.approx(5.5)
    assert after(429, retry_after=1e9).delay_seconds == DAY_SECONDS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("-7", None),
        ("7.5", None),
        ("99999999999999999999", DAY_SECONDS),
        ("Fri, 27 Nov 2026 12:00:30 GMT", 30.0),
        ("Fri, 27 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +9999999999999999999999", None),
    ],
)
def test_both_forms_of_retry_after_are_read(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, NOW) == seconds


def test_signatures_are_those_of_the_specification() -> None:
    old, new, body = new_secret(), new_secret(), b'{"type": "job.completed"}'
    headers = headers_of("msg_1", int(datetime.now(UTC).timestamp()), body, [new, old])
    for secret in (old, new):
        assert Webhook(show_secret(secret)).verify(body, headers) == {"type": "job.completed"}
    with pytest.raises(WebhookVerificationError):
        Webhook(show_secret(new)).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(show_secret(new_secret())).verify(body, headers)
