"""The former place of `violations_as`."""

from storage.postgres.db_errors import violations_as as told

__all__ = ["told"]
