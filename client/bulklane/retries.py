"""Decide whether a request is sent again, and when. Pure: the transport sleeps."""

import random
from dataclasses import dataclass, field

from bulklane.errors import APIError, BulklaneError, ConnectionLost

# The service has stored nothing, so each request may be sent again. Only PostgreSQL that goes away during a
# COMMIT leaves it open; nothing can be created twice even then, because names and phones are unique.
NOTHING_STORED = {429, 503}
UNCERTAIN = {408, 502, 504}  # from a proxy; the request may have been served
IN_PROGRESS = "idempotency_in_progress"  # the service has not noticed yet that the earlier attempt was cut
# The service has other bytes of an upload than the client believes: ask it, and go on from there.
NOT_ARRIVED = {
    "mismatching_upload_offset",
    "upload_taken_over",
    "upload_incomplete",
    "upload_too_slow",
}
PROCESSING = "upload_processing"  # the service reads the bytes of a complete upload
WRONG_KEY = "too_many_failed_keys"  # to wait does not make the key right


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long to try again. All times are in seconds.

    The pauses double from `first` to `longest`. A `Retry-After` is waited for, if it is at most
    `longest_retry_after`; otherwise the error is raised at once. The service notices a cut upload after a
    minute at the latest: until then it refuses the repeated request, `in_progress` times at most.
    """

    retries: int = 5
    first: float = 0.5
    longest: float = 8.0
    longest_retry_after: float = 120.0
    in_progress: int = 15


@dataclass(slots=True)
class Attempts:
    """The attempts to send one request. `always`: repeat without a limit, because there is a deadline.

    `resuming`: the request continues an upload, which goes on wherever the service says that it stands.
    """

    policy: RetryPolicy
    repeatable: bool
    always: bool = False
    resuming: bool = False
    failed: int = field(default=0, init=False)
    in_progress: int = field(default=0, init=False)

    def pause(self, error: BulklaneError) -> float | None:
        """Return the seconds to wait before the next attempt; None: do not repeat the request."""
        if isinstance(error, APIError) and error.code == IN_PROGRESS and self.repeatable:
            self.in_progress += 1
            return self._backoff(self.in_progress) if self.in_progress <= self.policy.in_progress else None
        if not self._may_repeat(error):
            return None
        self.failed += 1
        if self.failed > self.policy.retries and not self.always:
            return None
        wanted = error.retry_after if isinstance(error, APIError) else None
        if wanted is None:
            return self._backoff(self.failed)
        if wanted > self.policy.longest_retry_after:
            return None
        # Retry-After is exact; the jitter keeps clients that were refused together apart
        return wanted + random.uniform(0, min(0.5, self.policy.first))  # noqa: S311 - no secret

    def _may_repeat(self, error: BulklaneError) -> bool:
        match error:
            case APIError(status=status, code=code) if self.resuming and code != WRONG_KEY:
                return status in {408, 429} or status >= 500 or code in NOT_ARRIVED
            case ConnectionLost():
                return self.repeatable or not error.sent
            case APIError(code=code) if code == WRONG_KEY:
                return False
            case APIError(status=status):
                return status in NOTHING_STORED or (status in UNCERTAIN and self.repeatable)
            case _:
                return False

    def _backoff(self, attempt: int) -> float:
        longest = min(self.policy.longest, self.policy.first * 2 ** min(attempt - 1, 30))
        return random.uniform(longest / 2, longest)  # noqa: S311 - no secret
