"""The query parameters of a bulk request, checked all at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from multidict import MultiMapping

from schemas.errors import NotAcceptable
from schemas.phone import is_region

MAX_PARALLEL = 64
KNOWN = ("region", "parallel", "map.<column>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What the query asked for; None leaves the choice to the account or the settings."""

    region: str | None = None
    parallel: int | None = None
    renames: Mapping[str, str] = field(default_factory=dict)


def read_parameters(query: MultiMapping[str]) -> Parameters:
    """The parameters; raises NotAcceptable with every problem."""
    problems = [problem for name, value in query.items() if (problem := _problem(name, value))]
    problems += [
        _refuse(name, f"{name} is given twice: give it once", "duplicate_parameter")
        for name in sorted({name for name in query if len(query.getall(name)) > 1})
    ]
    if problems:
        raise NotAcceptable(
            problems[0].message, code=problems[0].code, param=problems[0].param, problems=tuple(problems)
        )
    region = query.get("region")
    return Parameters(
        region=region.upper() if region else None,
        parallel=int(query["parallel"]) if "parallel" in query else None,
        renames={
            name.removeprefix("map."): value for name, value in query.items() if name.startswith("map.")
        },
    )


def _problem(name: str, value: str) -> NotAcceptable | None:
    if name == "region":
        if is_region(value.upper()):
            return None
        return _refuse(name, f"{value!r} is not a region: write two letters of ISO 3166, like IN or US")
    if name == "parallel":
        if value.isascii() and value.isdigit() and len(value) < 4 and 1 <= int(value) <= MAX_PARALLEL:
            return None
        return _refuse(name, f"parallel is a number from 1 to {MAX_PARALLEL}")
    if name.startswith("map.") and len(name) > len("map."):
        return None
    return _refuse(
        name,
        f"{name!r} is not a parameter of this request; known are {', '.join(KNOWN)}",
        "unknown_parameter",
    )


def _refuse(name: str, message: str, code: str | None = None) -> NotAcceptable:
    return NotAcceptable(message, code=code, param=name)
