"""What a client reads of a limit: headers on every response, and the error of a refused request."""

import math
from dataclasses import dataclass

from schemas.errors import RateLimited
from schemas.settings import Settings
from storage.entities.accounts import Account
from storage.window import Grant, WindowKind

READ_SECONDS = 60  # READ_LIMIT is a number of requests a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """At most `limit` requests of a kind in any `seconds`; a limit of 0 means: no limit."""

    kind: WindowKind
    limit: int
    seconds: int
    noun: str


def bulk_policy(account: Account) -> Policy:
    """The account's admission window."""
    return Policy(
        kind="requests", limit=account.request_limit, seconds=account.window_seconds, noun="bulk requests"
    )


def read_policy(settings: Settings) -> Policy:
    """The window of all requests that are not bulk requests."""
    return Policy(kind="reads", limit=settings.read_limit, seconds=READ_SECONDS, noun="requests")


def headers_of(policy: Policy, grant: Grant) -> dict[str, str]:
    """Headers of draft-ietf-httpapi-ratelimit-headers and of the older X- form; all times are in seconds."""
    reset = min(math.ceil(grant.reset_seconds), policy.seconds)  # not 61 for a millisecond over 60
    return {
        "RateLimit-Policy": f'"{policy.kind}";q={policy.limit};w={policy.seconds}',
        "RateLimit": f'"{policy.kind}";r={grant.remaining};t={reset}',
        "X-RateLimit-Limit": str(policy.limit),
        "X-RateLimit-Remaining": str(grant.remaining),
        "X-RateLimit-Reset": str(reset),
    }


def refusal(policy: Policy, grant: Grant) -> RateLimited:
    """The error of a request that was not granted."""
    seconds = max(math.ceil(grant.wait_seconds), 1)
    return RateLimited(
        f"more than {policy.limit} {policy.noun} in {policy.seconds} seconds: "
        f"send this one again after {seconds} s",
        retry_after=seconds,
    )
