"""Apply a chunk that holds rows which the database rejects: they fail alone, their neighbours do not."""

from collections.abc import Sequence

import asyncpg
from pydantic_core import PydanticSerializationError

from schemas.item_errors import ItemCode
from schemas.items.faults import Fault
from schemas.states import Outcome
from storage.entities import upsert
from storage.pipeline.chunks import Answer
from storage.postgres.pool import Conn
from worker.operations.base import Applied, Indexed, JobFacts, OperationModule

# What a row can be rejected for, by the server or by the client's encoder; all else is not its fault.
ROW_REJECTED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    UnicodeEncodeError,
    PydanticSerializationError,
)
UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError, UnicodeEncodeError)

CODES = {
    "metadata_size": ItemCode.METADATA_TOO_LARGE,
    "properties_size": ItemCode.PROPERTIES_TOO_LARGE,
}


async def apply_isolated(
    conn: Conn, operation: OperationModule, job: JobFacts, items: Sequence[Indexed]
) -> Applied:
    """The same effect as applying one by one: halves, in order, each in a savepoint, down to the culprits."""
    applied = await _apply_halves(conn, operation, job, items)
    applied.answers = _folded(applied.answers)
    return applied


async def _apply_halves(
    conn: Conn, operation: OperationModule, job: JobFacts, items: Sequence[Indexed]
) -> Applied:
    try:
        async with conn.transaction():  # a savepoint
            await upsert.empty_stage(conn)
            return await operation.apply(conn, job, items)
    except ROW_REJECTED as error:
        if len(items) == 1:
            return Applied(faults={items[0][0]: fault_of(error)})
    middle = len(items) // 2
    first = await _apply_halves(conn, operation, job, items[:middle])
    second = await _apply_halves(conn, operation, job, items[middle:])
    return Applied(
        answers=first.answers | second.answers,
        faults=first.faults | second.faults,
        members=first.members + second.members,
    )


def fault_of(error: Exception) -> Fault:
    """What the database's refusal of a single item means to its sender."""
    match error:
        case _ if isinstance(error, UNSTORABLE):
            message = (
                "holds a character that cannot be stored (NUL, or half of a surrogate pair): take it out"
            )
            return Fault(None, ItemCode.INVALID_CHARACTER, message, None)
        case PydanticSerializationError():
            message = "holds a document that cannot be written as JSON: it is nested too deeply"
            return Fault(None, ItemCode.INVALID_JSON, message, None)
        case asyncpg.CheckViolationError(constraint_name=str(name)) if name in CODES:
            field = name.removesuffix("_size")
            return Fault(
                field, CODES[name], f"{field} of the contact would be over 64 KiB: remove keys", None
            )
        case asyncpg.InvalidTextRepresentationError():  # the one text that is read by the server is JSON
            message = "holds a number that JSON cannot express (NaN, or an infinite one): take it out"
            return Fault(None, ItemCode.INVALID_JSON, message, None)
        case asyncpg.UniqueViolationError():
            return Fault(None, ItemCode.CONFLICT, f"another contact has this already: {error.detail}", None)
        case _:
            return Fault(None, ItemCode.REJECTED_BY_DATABASE, f"the database says: {error}", None)


def _folded(answers: dict[int, Answer]) -> dict[int, Answer]:
    """Items of one contact that came to lie in several pieces: the last one answers for all of them.

    Skipped ones did nothing to a contact, and are told each for itself.
    """
    done = {index: answer for index, answer in answers.items() if answer.outcome is not Outcome.SKIPPED}
    last: dict[int | None, int] = {}
    strongest: dict[int | None, Outcome] = {}
    for index in sorted(done):
        answer = done[index]
        last[answer.contact_id] = index
        strongest[answer.contact_id] = min(strongest.get(answer.contact_id, Outcome.MERGED), answer.outcome)
    return answers | {
        index: answer._replace(outcome=strongest[answer.contact_id])
        if last[answer.contact_id] == index
        else Answer(Outcome.MERGED, answer.contact_id, last[answer.contact_id])
        for index, answer in done.items()
    }
