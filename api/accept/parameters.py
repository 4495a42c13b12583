"""The query parameters of a native bulk request, checked all at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from multidict import MultiMapping
from pydantic import ValidationError

from api.http.validation import problems_of
from schemas.errors import NotAcceptable
from schemas.formats.content_type import Format
from schemas.operations import OPERATIONS
from schemas.states import Operation
from schemas.wire.bulk_query import ALWAYS, BulkQuery

RENAME = "map."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What the query asked for, as far as it could be read, and what is wrong with it."""

    query: BulkQuery
    renames: Mapping[str, str]
    problems: list[NotAcceptable]


def read_parameters(operation: Operation, given: MultiMapping[str]) -> Parameters:
    """The parameters, with every problem."""
    needs = OPERATIONS[operation].needs
    known = known_parameters(operation)
    renames = {name.removeprefix(RENAME): value for name, value in given.items() if _is_rename(name)}
    query, problems = _query({name: given[name] for name in given if name in known})
    problems += [
        NotAcceptable(
            f"{name!r} is not a parameter of {operation}; known are {', '.join((*known, 'map.<column>'))}",
            code="unknown_parameter",
            param=name,
        )
        for name in given
        if name not in known and not _is_rename(name)
    ]
    problems += [
        NotAcceptable(f"{name} is given twice: give it once", code="duplicate_parameter", param=name)
        for name in sorted({name for name in given if len(given.getall(name)) > 1})
    ]
    if needs is not None and not given.get(needs):
        message = f"{operation} needs the parameter {needs}, as in ?{needs}=…"
        problems.append(NotAcceptable(message, code="missing_parameter", param=needs))
    return Parameters(query=query, renames=renames, problems=problems)


def known_parameters(operation: Operation) -> tuple[str, ...]:
    """The names of the parameters that an operation takes, those that it needs first."""
    traits = OPERATIONS[operation]
    return (*((traits.needs,) if traits.needs else ()), *traits.takes, *ALWAYS)


def check_renames(parameters: Parameters, format_: Format) -> None:
    """A rename that nothing would follow is a problem: better refused than a field lost without a word."""
    if parameters.renames and format_ is not Format.CSV:
        message = "only a CSV file has columns to rename: name the fields of JSON items as they are"
        param = f"{RENAME}{next(iter(parameters.renames))}"
        parameters.problems.append(NotAcceptable(message, param=param))


def _query(given: Mapping[str, str]) -> tuple[BulkQuery, list[NotAcceptable]]:
    """What can be read of the query, and what is wrong with the rest."""
    try:
        return BulkQuery.model_validate_strings(given), []
    except ValidationError as error:
        wrong = {one["loc"][0] for one in error.errors(include_url=False)}
        rest = {name: value for name, value in given.items() if name not in wrong}
        return BulkQuery.model_validate_strings(rest), problems_of(error)


def _is_rename(name: str) -> bool:
    return name.startswith(RENAME) and len(name) > len(RENAME)
