"""`max_errors`: what can be written, and when it stops a job."""

import pytest

from schemas.error_limit import MIN_ITEMS, Tally, excess_of, read_max_errors
from schemas.job_errors import JobErrorCode

MOST = 1_000_000


@pytest.mark.parametrize(
    ("text", "stored"),
    [("0", "0"), (" 100 ", "100"), ("007", "7"), ("5%", "5%"), ("2.50%", "2.5%"), ("100%", "100%")],
)
def test_a_number_or_a_percentage_is_stored_in_one_form(text: str, stored: str) -> None:
    assert read_max_errors(text) == stored
    assert read_max_errors(stored) == stored


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "100.1%", "%", "5 %", "5%%", "\u0665", "9" * 11])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a number"):
        read_max_errors(text)


@pytest.mark.parametrize(
    ("max_errors", "tally", "stops"),
    [
        ("0", Tally(0, 10), False),
        ("0", Tally(1, 10), True),
        ("3", Tally(3, 10), False),
        ("3", Tally(4, 10), True),
        ("5%", Tally(5, MIN_ITEMS), False),  # not more than 5%
        ("5%", Tally(6, MIN_ITEMS), True),
        ("5%", Tally(50, MIN_ITEMS - 1), False),  # too few items to judge
        ("5%", Tally(50, MIN_ITEMS - 1, whole=True), True),
        ("2.5%", Tally(25, 1000), False),
        ("2.5%", Tally(26, 1000), True),
        ("100%", Tally(200, 200), False),
        ("0%", Tally(1, 200), True),
        (None, Tally(MOST, 0), False),
    ],
)
def test_more_errors_than_the_limit_stop_a_job(max_errors: str | None, tally: Tally, stops: bool) -> None:
    excess = excess_of(tally, max_errors=max_errors, max_job_errors=MOST)
    assert (excess is not None) == stops
    if excess:
        assert excess.code is JobErrorCode.MAX_ERRORS_EXCEEDED
        assert f"{tally.errors} of the {tally.items} items" in excess.message
        assert str(max_errors) in excess.message


def test_the_limit_of_the_service_comes_first() -> None:
    excess = excess_of(Tally(MOST + 1, 2 * MOST), max_errors="0", max_job_errors=MOST)
    assert excess is not None
    assert excess.code is JobErrorCode.TOO_MANY_ERRORS
