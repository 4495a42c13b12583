"""A lease is abandoned only if it stays expired while PostgreSQL responds."""

from storage.pipeline.leases import (
    LEASE_SECONDS,
    LONGEST_LEASE_SECONDS,
    LONGEST_UPLOAD_LEASE_SECONDS,
    PATIENCE_SECONDS,
    PAUSE_SECONDS,
    RENEW_SECONDS,
    UPLOAD_LEASE_SECONDS,
    UPLOAD_RENEW_SECONDS,
    Watch,
    new_token,
)


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_is_abandoned_after_the_holder_had_time_to_renew_it() -> None:
    clock = Clock()
    watch: Watch[str] = Watch(clock=clock)
    assert watch.abandoned(["a"]) == []
    clock.now += PATIENCE_SECONDS - 0.1
    assert watch.abandoned(["a", "b"]) == []
    clock.now += 0.1
    assert watch.abandoned(["a", "b"]) == ["a"]


def test_a_lease_that_was_renewed_in_between_is_not_abandoned() -> None:
    clock = Clock()
    watch: Watch[str] = Watch(clock=clock)
    watch.abandoned(["a"])
    clock.now += 1
    assert watch.abandoned([]) == []
    clock.now += 1
    assert watch.abandoned(["a"]) == []


def test_a_pause_of_the_watch_gives_every_holder_new_time() -> None:
    clock = Clock()
    watch: Watch[str] = Watch(clock=clock)
    watch.abandoned(["a"])
    clock.now += PAUSE_SECONDS + 0.1  # PostgreSQL was away, or this process was stopped
    assert watch.abandoned(["a"]) == []
    clock.now += PATIENCE_SECONDS
    assert watch.abandoned(["a"]) == ["a"]


def test_tokens_fit_into_a_bigint_and_do_not_repeat() -> None:
    tokens = {new_token() for _ in range(10_000)}
    assert len(tokens) == 10_000
    assert all(0 <= token < 2**63 for token in tokens)


def test_every_holder_renews_its_lease_before_it_can_be_abandoned() -> None:
    longest = max(RENEW_SECONDS, UPLOAD_RENEW_SECONDS)
    assert longest < PATIENCE_SECONDS
    assert longest + PAUSE_SECONDS <= min(LEASE_SECONDS, UPLOAD_LEASE_SECONDS)
    assert LEASE_SECONDS <= LONGEST_LEASE_SECONDS
    assert UPLOAD_LEASE_SECONDS <= LONGEST_UPLOAD_LEASE_SECONDS
