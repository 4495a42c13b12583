"""A constraint that was violated, told as the error that a client can act on."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from schemas.errors import BulklaneError


@contextmanager
def told(**errors: BulklaneError) -> Iterator[None]:
    """Raise the error of the constraint's name instead; what is not among `errors` goes through as it is."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as violation:
        name = violation.constraint_name
        if name is None or name not in errors:
            raise
        raise errors[name] from violation
