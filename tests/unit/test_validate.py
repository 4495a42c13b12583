"""Each problem of a request is reported in one sentence, with its place."""

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.http.validation import check
from schemas.errors import NotAcceptable


class Inner(BaseModel):
    """A model with its own validator."""

    model_config = ConfigDict(extra="forbid")

    colour: str = "red"

    @field_validator("colour")
    @classmethod
    def _known(cls, value: str) -> str:
        if value != "red":
            raise ValueError("is not red: write red")
        return value


class Outer(BaseModel):
    """A model of a body."""

    size: int = Field(le=3)
    inner: list[Inner] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("body", "code", "param", "message"),
    [
        ({}, "missing_parameter", "size", "size is missing: the request needs it"),
        ({"size": 4}, "invalid_parameter", "size", "size: input should be less than or equal to 3"),
        (
            {"size": 1, "inner": [{}, {"colour": "blue"}]},
            "invalid_parameter",
            "inner[1].colour",
            "inner[1].colour: is not red: write red",
        ),
        (
            {"size": 1, "inner": [{"age": 1}]},
            "unknown_parameter",
            "inner[0].age",
            "inner[0].age is not a known field: leave it out",
        ),
        (
            [],
            "invalid_parameter",
            None,
            "the body must be a JSON object",
        ),
    ],
)
def test_a_problem_says_what_is_wrong_where(body: object, code: str, param: str | None, message: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        check(body, Outer)
    assert (caught.value.code, caught.value.param, caught.value.message) == (code, param, message)


def test_all_problems_are_reported_and_the_first_is_the_error() -> None:
    with pytest.raises(NotAcceptable) as caught:
        check({"size": 4, "inner": [{"colour": "blue"}]}, Outer)
    assert [problem.param for problem in caught.value.problems] == ["size", "inner[0].colour"]
    assert caught.value.param == "size"
