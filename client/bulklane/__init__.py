"""A client for Bulklane: send files and streams of contacts, wait, read the result of each row."""

from bulklane._async.client import AsyncBulklane
from bulklane._async.job import AsyncJob
from bulklane._async.listing import AsyncListing
from bulklane._async.upload import AsyncUpload
from bulklane._sync.client import Bulklane
from bulklane._sync.job import Job
from bulklane._sync.listing import Listing
from bulklane._sync.upload import Upload
from bulklane.errors import (
    APIError,
    AuthenticationError,
    BulklaneError,
    ConfigurationError,
    ConflictError,
    ConnectionLost,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    Problem,
    RateLimitError,
    RowError,
    ServerError,
    SourceError,
    WaitTimeout,
)
from bulklane.models import ItemError, ItemResult, JobProgress, JobSnapshot, UploadSnapshot
from bulklane.retries import RetryPolicy
from bulklane.server_events import JobEvent

__all__ = [
    "APIError",
    "AsyncBulklane",
    "AsyncJob",
    "AsyncListing",
    "AsyncUpload",
    "AuthenticationError",
    "Bulklane",
    "BulklaneError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionLost",
    "InvalidRequestError",
    "ItemError",
    "ItemResult",
    "Job",
    "JobEvent",
    "JobProgress",
    "JobSnapshot",
    "Listing",
    "NotFoundError",
    "PermissionDeniedError",
    "Problem",
    "RateLimitError",
    "RetryPolicy",
    "RowError",
    "ServerError",
    "SourceError",
    "Upload",
    "UploadSnapshot",
    "WaitTimeout",
]
