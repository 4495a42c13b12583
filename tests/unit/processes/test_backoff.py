"""The delay before a restart, which grows while a process keeps dying."""

from embedded.supervisor.supervised import Backoff


def test_the_delay_doubles_up_to_five_seconds() -> None:
    backoff = Backoff()

    delays = [backoff.after(0) for _ in range(8)]

    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_ten_seconds_of_run_time_reset_the_delay() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(1)

    assert [backoff.after(10), backoff.after(9.9)] == [0.1, 0.2]
