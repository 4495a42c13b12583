"""The workers that one would write by hand: arq, a pydantic model a row, phonenumbers, executemany."""

import os
from typing import Any, ClassVar

import asyncpg
import phonenumbers
from pydantic import BaseModel, Field, field_validator

from bench.lab.plain import ACCOUNT
from storage.queue import arq_settings, deserialize, serialize

QUEUE = "peers"
DONE = "peers:done"  # a sorted set: the chunks that are applied
UPSERT = f"""
INSERT INTO peer (account_id, phone, name, email, language, metadata) VALUES ({ACCOUNT}, $1, $2, $3, $4, $5)
ON CONFLICT (account_id, phone) DO UPDATE SET name = excluded.name, email = excluded.email,
    language = excluded.language, metadata = excluded.metadata
"""


class Contact(BaseModel):
    """One row."""

    phone: str
    name: str = Field(max_length=255)
    email: str = Field(max_length=255)
    language: str = Field(max_length=35)
    metadata: str

    @field_validator("phone")
    @classmethod
    def _e164(cls, text: str) -> str:
        number = phonenumbers.parse(text, None)
        if not phonenumbers.is_valid_number(number):
            raise ValueError("not a valid phone number")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


async def apply(ctx: dict[str, Any], records: list[dict[str, str]]) -> None:
    """Validate and upsert one chunk."""
    contacts = [Contact.model_validate(record) for record in records]
    async with ctx["pool"].acquire() as conn, conn.transaction():
        rows = [(one.phone, one.name, one.email, one.language, one.metadata) for one in contacts]
        await conn.executemany(UPSERT, rows)
    await ctx["redis"].zadd(DONE, {ctx["job_id"]: 0})


async def startup(ctx: dict[str, Any]) -> None:
    """Connect."""
    ctx["pool"] = await asyncpg.create_pool(os.environ["DATABASE_URL"])


async def shutdown(ctx: dict[str, Any]) -> None:
    """Disconnect."""
    await ctx["pool"].close()


class WorkerSettings:
    """The settings of arq."""

    functions: ClassVar[list[Any]] = [apply]
    on_startup = startup
    on_shutdown = shutdown
    queue_name = QUEUE
    redis_settings = arq_settings(os.environ.get("REDIS_URL", "redis://"))
    job_serializer = staticmethod(serialize)
    job_deserializer = staticmethod(deserialize)
    keep_result = 0
    poll_delay = 0.02
