"""How many items of a job may fail: by `max_errors`, a number or a percentage, and by MAX_JOB_ERRORS."""

import re
from decimal import Decimal
from typing import Final, NamedTuple

from schemas.job_errors import JobErrorCode

MIN_ITEMS: Final = 100  # applied items before which a percentage stops no job
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_PERCENTAGE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%")


class Tally(NamedTuple):
    """The item errors of a job so far, and its applied items. `whole`: no item is left to apply.

    The items are counted only for a job with `max_errors`.
    """

    errors: int
    items: int
    whole: bool = False


class Excess(NamedTuple):
    """Why the rest of a job is not applied: too many of its items have failed."""

    code: JobErrorCode
    message: str


def read_max_errors(text: str) -> str:
    """Return `max_errors` as it is stored. Raises ValueError if it is neither a number nor a percentage."""
    given = text.strip()
    if _NUMBER.fullmatch(given):
        return str(int(given))
    found = _PERCENTAGE.fullmatch(given)
    if found and Decimal(found[1]) <= 100:
        return f"{Decimal(found[1]).normalize():f}%"
    raise ValueError("is not a limit: write a number of items, like 100, or a percentage up to 100, like 5%")


def excess_of(tally: Tally, *, max_errors: str | None, max_job_errors: int) -> Excess | None:
    """Return why a job must stop; None: it may go on. `max_errors` is that of `read_max_errors`."""
    if tally.errors > max_job_errors:
        return Excess(JobErrorCode.TOO_MANY_ERRORS, JobErrorCode.TOO_MANY_ERRORS.message)
    if max_errors is None or not _exceeds(tally, max_errors):
        return None
    return Excess(
        JobErrorCode.MAX_ERRORS_EXCEEDED,
        f"{tally.errors} of the {tally.items} items that were applied by then failed, and max_errors is "
        f"{max_errors}: {JobErrorCode.MAX_ERRORS_EXCEEDED.message}",
    )


def _exceeds(tally: Tally, max_errors: str) -> bool:
    if not max_errors.endswith("%"):
        return tally.errors > int(max_errors)
    enough = tally.whole or tally.items >= MIN_ITEMS
    return enough and 100 * tally.errors > Decimal(max_errors[:-1]) * tally.items
