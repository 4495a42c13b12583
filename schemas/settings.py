"""Every setting of the service, read from the environment."""

import json
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NoReturn
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIN_OPERATOR_KEY = 16  # characters
KEY_CHARACTERS = re.compile("[!-~]+")
ACCOUNT_KEY = re.compile(r"bl_\d+_")  # how the keys of accounts begin
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
WRONG_SETTINGS_STATUS = 2  # exit status of a process whose settings are not valid

MESSAGES = {  # by the type of pydantic's error
    "int_parsing": "is not a whole number: write only digits, as in 8080",
    "float_parsing": "is not a number: write it like 60 or 0.5",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
}


class SettingsError(Exception):
    """The settings are not valid. The message names each setting, what is wrong, and what to do."""


class SettingsMissing(SettingsError):
    """A required setting is missing."""


def _check_operator_key(key: str | None) -> str | None:
    """Return the key, or None for an empty text, which is an unset variable."""
    if key and len(key) < MIN_OPERATOR_KEY:
        text = "has {has} characters: use at least {least}"
        raise PydanticCustomError("short_key", text, {"has": len(key), "least": MIN_OPERATOR_KEY})
    if key and not KEY_CHARACTERS.fullmatch(key):
        raise PydanticCustomError(
            "no_key", "has a character that a header cannot carry: use letters and digits"
        )
    if key and ACCOUNT_KEY.match(key):
        raise PydanticCustomError("account_key", "begins like the key of an account: choose another key")
    return key or None


def _check_log_level(level: str) -> str:
    """Return the level in capitals."""
    if level.upper() not in LOG_LEVELS:
        raise PydanticCustomError("log_level", "is not a level: use one of " + ", ".join(LOG_LEVELS))
    return level.upper()


def _check_database_url(url: str | None) -> str | None:
    return _check_url(url, ("postgresql", "postgres"), "postgresql://user:password@host:5432/database")


def _check_redis_url(url: str | None) -> str | None:
    return _check_url(url, ("redis", "rediss", "unix"), "redis://host:6379/0")


def _check_collector_url(url: str | None) -> str | None:
    return _check_url(url, ("http", "https"), "http://host:4318")


def _check_url(url: str | None, schemes: tuple[str, ...], example: str) -> str | None:
    """Return the URL, or None for an empty text, which is an unset variable."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        known = parts.scheme in schemes
        for host in parts.netloc.rpartition("@")[2].split(","):  # PostgreSQL may have several
            urlsplit(f"//{host}").port  # noqa: B018 - raises ValueError if it is not a number
    except ValueError:
        known = False
    if not known:
        raise PydanticCustomError("url", "is not a URL of this server: write it like " + example)
    return url


def _read_list(value: object) -> object:
    """Return the texts of a JSON array; any other value is that of a keyword argument."""
    if not isinstance(value, str):
        return value
    try:
        texts = json.loads(value)
    except ValueError:
        texts = None
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise PydanticCustomError("list", 'is not a list of texts: write it like ["allow_all", "mute_all"]')
    return texts


def shown_url(url: str) -> str:
    """Return the server of a URL for a log or a message: without user, password and options."""
    parts = urlsplit(url)
    folder_of_socket = parse_qs(parts.query).get("host", [""])[0]
    return parts.netloc.rpartition("@")[2] or folder_of_socket or parts.path


class Settings(BaseSettings):
    """Settings; each field is the environment variable of the same name in capitals.

    Source: the process environment, then a `.env` file in the working directory.
    """

    # An invalid value is not repeated in the error, because it can be a key.
    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    # Not in the repr, because they can contain a password.
    database_url: Annotated[str | None, AfterValidator(_check_database_url)] = Field(
        default=None, repr=False
    )  # postgresql://…; unset: `./run` starts an embedded server
    redis_url: Annotated[str | None, AfterValidator(_check_redis_url)] = Field(
        default=None, repr=False
    )  # redis://… or unix://…; unset: `./run` starts an embedded server
    bulklane_home: Path = Path(".bulklane")  # state of the embedded servers and dev.json
    host: str = "127.0.0.1"  # the api binds here; 0.0.0.0 behind a load balancer
    port: int = Field(default=8080, ge=0, le=65535)
    log_format: Literal["console", "json"] = "console"
    log_level: Annotated[str, AfterValidator(_check_log_level)] = "INFO"
    # A worker serves its metrics at the first free port from here on; 0: at any free one; unset: nowhere.
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    # Traces are sent there; unset: there are none. The SDK of OpenTelemetry reads its other variables.
    otel_exporter_otlp_endpoint: Annotated[str | None, AfterValidator(_check_collector_url)] = Field(
        default=None, repr=False
    )
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = "http/protobuf"

    # connections
    header_seconds: float = Field(default=15, gt=0)  # until the first request of a connection
    keepalive_seconds: float = Field(default=75, gt=0)  # a connection without a request is closed
    write_idle_seconds: float = Field(default=60, gt=0)  # a client that takes nothing of its response is cut
    # Open connections of one address. Unset: half of what the process can open; 0: no limit, behind a proxy.
    max_connections_per_address: int | None = Field(default=None, ge=0)

    # the key of the operator; unset: there is nothing at /operator
    operator_key: Annotated[str | None, AfterValidator(_check_operator_key)] = Field(default=None, repr=False)
    # requests with a wrong key a minute per address; 0: no limit
    failed_key_limit: int = Field(default=20, ge=0)
    # proxies in front of the api that add to X-Forwarded-For; 0: the header is ignored
    trusted_proxies: int = Field(default=0, ge=0)

    # accept
    # bytes after decompression, per request that is not a bulk request
    max_request_bytes: int = Field(default=1024 * 1024, ge=1)
    max_json_bytes: int = Field(default=16 * 1024 * 1024, ge=1)  # a JSON body is read whole, so it is bounded
    max_json_items: int = Field(default=50_000, ge=1)
    # Bytes after decompression, per NDJSON or CSV upload. The smallest record has two bytes, so the limit
    # keeps the index of an item within a signed integer of four bytes.
    max_upload_bytes: int = Field(default=4 * 1024**3 - 2, ge=1, le=4 * 1024**3 - 2)
    max_workbook_bytes: int = Field(default=64 * 1024**2, ge=1)  # of an Excel file, as it is sent
    max_upload_items: int = Field(default=10_000_000, ge=1, le=2**31 - 1)  # per NDJSON or CSV upload
    # bytes of the unfinished jobs of an account; beyond it: 429
    max_stored_bytes: int = Field(default=8 * 1024**3, ge=1)
    max_job_errors: int = Field(default=1_000_000, ge=1)  # stored item errors; beyond it the job fails early
    max_unfinished_jobs: int = Field(default=1_000, ge=1)  # per account; beyond it: 429 too_many_jobs
    # Bytes of bodies and downloads that one api process holds in memory; an account may use a quarter of it.
    request_memory_bytes: int = Field(default=256 * 1024**2, ge=8 * 1024**2)
    upload_idle_seconds: float = Field(default=60, gt=0)  # an upload without a byte for this long is aborted
    # Bytes a second, on average over the time in which the api waits for the client; 0: no limit. A body
    # below it is aborted when the api has waited for upload_grace_seconds.
    min_upload_rate: int = Field(default=1024, ge=0)
    upload_grace_seconds: float = Field(default=30, ge=0)
    keep_uploads_seconds: int = Field(default=86_400, ge=60)  # a resumable upload that is not finished
    max_unfinished_uploads: int = Field(default=100, ge=1)  # resumable ones of an account; beyond it: 429

    # the communication preferences of contacts; the first one is the default
    communication_preferences: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_read_list), Field(min_length=1)
    ] = (
        "allow_all",
        "mute_marketing",
        "mute_all",
    )

    # requests a minute per account, bulk requests not included; 0: no limit
    read_limit: int = Field(default=1_200, ge=0)

    # work
    parallel: int = Field(default=4, ge=1, le=64)  # chunks of one job in flight, across all workers
    worker_turns: int = Field(default=2, ge=1, le=64)  # bells that one worker process serves at once
    worker_pool_size: int = Field(default=24, ge=3)  # PostgreSQL connections of one worker process
    api_pool_size: int = Field(default=10, ge=2)
    queue_name: str = "bulklane"  # the arq queue; workers and api must agree

    # webhooks
    webhook_private_addresses: Literal["refuse", "allow"] = "refuse"  # of endpoints
    # The only hosts of endpoints: names, or the ends of names with a point before them; empty: all hosts.
    webhook_hosts: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    webhook_seconds: float = Field(default=15, gt=0, le=60)  # for one attempt, from the look-up to the answer
    # Seconds after each failed attempt, without the jitter; there is one attempt more. A day in all.
    webhook_retry_seconds: Annotated[
        tuple[Annotated[float, Field(gt=0, le=86_400)], ...], Field(min_length=1, max_length=30)
    ] = (5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 32_400)

    # housekeeping
    keep_jobs_days: int = Field(default=30, ge=1)  # ended jobs and their results are pruned after this
    # what a job changed can be undone, and is in the history of its contacts, for so long; 0: never
    undo_days: int = Field(default=7, ge=0)
    keep_deliveries_days: int = Field(default=7, ge=1)  # deliveries to webhooks are pruned after this

    @property
    def default_preference(self) -> str:
        """The communication preference of a contact that has none."""
        return self.communication_preferences[0]

    @property
    def keeps_images(self) -> bool:
        """Whether before-images of changed contacts are kept."""
        return self.undo_days > 0

    def required_urls(self) -> tuple[str, str]:
        """Return the URLs of PostgreSQL and Redis; raises SettingsMissing."""
        if self.database_url and self.redis_url:
            return self.database_url, self.redis_url
        raise SettingsMissing(
            "DATABASE_URL and REDIS_URL are both needed: set them, or start everything with ./run"
        )


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process; they are read once. Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [f"{problem['loc'][0]}".upper() + f": {_message(problem)}" for problem in error.errors()]
        raise SettingsError("a setting is not valid: " + "; ".join(problems)) from None


def _message(problem: ErrorDetails) -> str:
    """Return what is wrong with a setting, in our words where pydantic's speak of types and patterns."""
    message = MESSAGES.get(problem["type"])
    return message.format(**problem.get("ctx", {})) if message else problem["msg"]


def settings_of_process() -> Settings:
    """Return the settings of an api or a worker. Ends the process with one line if they are not valid."""
    try:
        settings = get_settings()
        settings.required_urls()
    except SettingsError as error:
        end_with(str(error))
    return settings


def end_with(message: str) -> NoReturn:
    """End the process because of its settings: a line on standard error, and the exit status for that."""
    sys.stderr.write(f"{message}\n")
    sys.exit(WRONG_SETTINGS_STATUS)
