"""Every setting of the service, read from the environment."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsMissing(Exception):
    """A setting without which this process cannot run."""


class Settings(BaseSettings):
    """Settings; each field is the environment variable of the same name in capitals.

    Source: the process environment, then a `.env` file in the working directory.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    database_url: str | None = None  # postgresql://…; unset: `./run` starts an embedded server
    redis_url: str | None = None  # redis://… or unix://…; unset: `./run` starts an embedded server
    bulklane_home: Path = Path(".bulklane")  # state of the embedded servers and dev.json
    host: str = "127.0.0.1"  # the api binds here; 0.0.0.0 behind a load balancer
    port: int = Field(default=8080, ge=0, le=65535)
    log_format: str = Field(default="console", pattern="^(console|json)$")
    log_level: str = "INFO"

    # accept
    max_json_bytes: int = 16 * 1024 * 1024  # a JSON body is read whole, so it is bounded
    max_json_items: int = 50_000
    # Bytes after decompression, per NDJSON or CSV upload. The smallest record has two, and an index four.
    max_upload_bytes: int = Field(default=4 * 1024**3 - 2, le=4 * 1024**3 - 2)
    upload_idle_seconds: float = 60  # a silent upload is given up after this long
    max_unfinished_jobs: int = 1_000  # per account; over it: 429 too_many_jobs

    # what a contact can have; one that was never given any has the first one
    communication_preferences: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "allow_all",
        "mute_marketing",
        "mute_all",
    )

    # reading, and all else that is no bulk request: requests a minute per account; 0: no limit
    read_limit: int = Field(default=1_200, ge=0)

    # work
    parallel: int = Field(default=4, ge=1, le=64)  # chunks of one job in flight, over all workers
    worker_turns: int = Field(default=2, ge=1, le=64)  # doorbells that one worker process answers at once
    worker_pool_size: int = Field(default=10, ge=3)  # PostgreSQL connections of one worker process
    api_pool_size: int = Field(default=10, ge=2)
    queue_name: str = "bulklane"  # the arq queue; workers and api must agree

    # housekeeping
    keep_jobs_days: int = 30  # ended jobs, with their answers, are pruned after this

    @property
    def default_preference(self) -> str:
        """The communication preference of a contact that was never given one."""
        return self.communication_preferences[0]

    def required_urls(self) -> tuple[str, str]:
        """The database's and Redis's URL; raises SettingsMissing."""
        if self.database_url and self.redis_url:
            return self.database_url, self.redis_url
        raise SettingsMissing(
            "DATABASE_URL and REDIS_URL are both needed: set them, or start everything with ./run"
        )


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
