"""The errors that end an accepted job early, as `failed` or `cancelled`. Their codes are permanent."""

from enum import StrEnum
from typing import assert_never


class JobErrorCode(StrEnum):
    """Why the rest of an accepted job was not applied."""

    PARTS_MISSING = "parts_missing"
    SPLIT_FAILED = "split_failed"
    DRY_RUN_FAILED = "dry_run_failed"
    FINISH_FAILED = "finish_failed"
    TOO_MANY_ERRORS = "too_many_errors"
    MAX_ERRORS_EXCEEDED = "max_errors_exceeded"  # ends a job as `cancelled`: its client set the limit

    @property
    def message(self) -> str:
        """The error in a sentence: what is wrong, what became of the items, what to do."""
        match self:
            case JobErrorCode.PARTS_MISSING:
                return (
                    "a part of the body is missing in the database, so the items from there on were not"
                    " applied: send them again, and report this to the operator"
                )
            case JobErrorCode.SPLIT_FAILED:
                return (
                    "the body could not be split into items, repeatedly, so the items from there on were not"
                    " applied: report this to the operator"
                )
            case JobErrorCode.DRY_RUN_FAILED:
                return "the dry run failed repeatedly: report this to the operator"
            case JobErrorCode.FINISH_FAILED:
                return (
                    "all items were applied, but the last step of the job failed repeatedly: an overwrite has"
                    " removed nobody, and contacts that several items name may have the values of an earlier"
                    " one. Report this to the operator"
                )
            case JobErrorCode.TOO_MANY_ERRORS:
                return (
                    "too many items failed, so the items that were not applied by then were cancelled:"
                    " correct the file, and send it again"
                )
            case JobErrorCode.MAX_ERRORS_EXCEEDED:
                return "the rest of the job was cancelled. Correct the file, and send it again"
            case _:
                assert_never(self)
