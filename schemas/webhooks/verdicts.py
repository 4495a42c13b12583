"""What follows an attempt to deliver a message: its end, or when the next attempt is made."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from schemas.webhooks.event_types import DeliveryState

GONE = 410  # the endpoint does not exist any more: the webhook is switched off
DAY_SECONDS = 86_400.0  # a message is retried for a day
JITTER = 0.2  # a delay is up to so much longer, so that messages that failed together do not return together


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an endpoint answered. `status` is None if it did not: then `error` says why.

    `body` is the beginning of the answer. `retry_after` is in seconds.
    """

    status: int | None
    error: str | None = None
    body: str = ""
    milliseconds: int
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the endpoint has taken the message: 2xx. A redirect is a failure, like any other status."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state of a delivery after an attempt; `delay_seconds` until the next attempt if it waits.

    `ours`: the attempt was not made, for a reason that is none of the endpoint's.
    """

    state: DeliveryState
    delay_seconds: float = 0
    gone: bool = False
    ours: bool = False


def verdict_of(
    answer: Answer, *, tries: int, age_seconds: float, delays: Sequence[float], chance: float
) -> Verdict:
    """Return what follows attempt number `tries` (from 1) of a message that was queued `age_seconds` ago.

    `delays` are the seconds after each failed attempt; there is one attempt more. `chance`, from 0 to 1,
    decides the jitter. A longer `Retry-After` is obeyed.
    """
    if answer.delivered:
        return Verdict(state=DeliveryState.DELIVERED)
    if answer.status == GONE:
        return Verdict(state=DeliveryState.FAILED, gone=True)
    if tries > len(delays) or age_seconds >= DAY_SECONDS:
        return Verdict(state=DeliveryState.FAILED)
    delay = max(_delay(delays, tries, chance), answer.retry_after or 0)
    return Verdict(state=DeliveryState.WAITING, delay_seconds=min(delay, DAY_SECONDS))


def verdict_of_fault(*, faults: int, delays: Sequence[float], chance: float) -> Verdict:
    """Return what follows error number `faults` (from 1) of ours that was in the way of an attempt.

    There are as many retries as after failures of the endpoint. They are counted apart.
    """
    if faults > len(delays):
        return Verdict(state=DeliveryState.FAILED, ours=True)
    delay = _delay(delays, faults, chance)
    return Verdict(state=DeliveryState.WAITING, delay_seconds=delay, ours=True)


def _delay(delays: Sequence[float], number: int, chance: float) -> float:
    return delays[number - 1] * (1 + JITTER * chance)


def read_retry_after(text: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a `Retry-After` asks to wait (RFC 9110); None if it is absent or not valid."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), DAY_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the parser lets numbers through that no date can have
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, math.ceil((moment - (now or datetime.now(UTC))).total_seconds()))
