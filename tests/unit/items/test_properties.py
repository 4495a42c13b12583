"""Values of properties: which value fits which type, and how text is read."""

from typing import Any

import pytest

from schemas.items.dates import DateFormat
from schemas.items.faults import Fault
from schemas.items.properties import Definition, Definitions

DEFINITIONS = Definitions(
    [
        Definition(name="text", type="string"),
        Definition(name="score", type="number"),
        Definition(name="Vip", type="boolean"),
        Definition(name="since", type="date"),
        Definition(name="tier", type="enum", options=tuple(f"t{n}" for n in range(20))),
        Definition(name="Twin", type="string"),
        Definition(name="twin", type="number"),
    ]
)


def check(name: str, value: Any, *, from_text: bool = False) -> Any:
    """Return the stored value, or the code of the fault."""
    checked = DEFINITIONS.check({name: value}, from_text=from_text)
    return checked.code.value if isinstance(checked, Fault) else checked[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", ""),
        ("text", "1"),
        ("score", 0),
        ("score", -1.5),
        ("score", 10**30),
        ("Vip", True),
        ("Vip", False),
        ("since", "2024-02-29"),
        ("since", "0001-01-01"),
        ("tier", "t19"),
        *((name, None) for name in ("text", "score", "Vip", "since", "tier")),
    ],
)
@pytest.mark.parametrize("from_text", [False, True])
def test_a_value_of_the_type_is_taken_as_it_is(name: str, value: Any, from_text: bool) -> None:
    assert check(name, value, from_text=from_text) == value
    assert type(check(name, value, from_text=from_text)) is type(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 1),
        ("text", True),
        ("score", True),
        ("score", "1"),
        ("Vip", 0),
        ("Vip", "true"),
        ("since", "2023-02-29"),
        ("since", "2024-2-9"),
        ("since", "2024-W01-1"),
        ("since", "0000-01-01"),
        ("since", "\uff12\uff10\uff12\uff14-01-01"),
        ("since", 2024),
        ("tier", "t20"),
        ("tier", "T1"),
        ("tier", 1),
    ],
)
def test_any_other_value_is_reported_with_the_expected_type(name: str, value: Any) -> None:
    fault = DEFINITIONS.check({name: value})
    assert isinstance(fault, Fault)
    assert (fault.field, fault.code.value, fault.value) == ("properties", "property_type", value)
    assert f"properties.{name} is defined to be" in fault.message
    assert len(fault.message) < 200


def test_an_undefined_name_is_reported_even_with_null() -> None:
    assert check("other", "x") == check("other", None) == check("vip", True) == "unknown_property"
    fault = DEFINITIONS.check({"x" * 10_000: 1})
    assert isinstance(fault, Fault)
    assert len(fault.message) < 300


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("score", "42", 42),
        ("score", " +7 ", 7),
        ("score", "007", 7),
        ("score", "-2.50", -2.5),
        ("score", "1e3", 1000.0),
        ("score", "12.0", 12.0),
        ("score", "9007199254740993.0", 9007199254740993),  # a float would be …992
        ("score", "9" * 64, int("9" * 64)),
        ("Vip", "TRUE", True),
        ("Vip", " False ", False),
        ("text", "42", "42"),
        ("text", " true ", " true "),
        ("tier", "t1", "t1"),
    ],
)
def test_text_is_read_as_the_defined_type(name: str, text: str, value: Any) -> None:
    assert check(name, text, from_text=True) == value
    assert type(check(name, text, from_text=True)) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("score", ""),
        ("score", "many"),
        ("score", "1,5"),
        ("score", "1_000"),
        ("score", "0x10"),
        ("score", "nan"),
        ("score", "inf"),
        ("score", "1e999"),
        ("score", "٣"),
        ("score", "9" * 65),
        ("score", "9" * 5000),
        ("Vip", "yes"),
        ("Vip", "1"),
        ("since", "29.02.2023"),
        ("since", "--02-29"),
        ("since", "2024-02-29 12:00:00"),
        ("tier", " t1"),
    ],
)
def test_text_that_does_not_fit_the_type_is_reported(name: str, text: str) -> None:
    assert check(name, text, from_text=True) == "property_type"


@pytest.mark.parametrize("from_text", [False, True])
@pytest.mark.parametrize(
    ("text", "date_format", "value"),
    [
        ("2024-02-29 00:00:00", None, "2024-02-29"),
        ("29.02.2024", None, "2024-02-29"),
        ("2024/2/9", None, "2024-02-09"),
        ("29/02/2024", None, "2024-02-29"),
        ("05/06/2024", "dmy", "2024-06-05"),
        ("05/06/2024", "mdy", "2024-05-06"),
        ("2024-06-05", "mdy", "2024-06-05"),
        ("29.02.2024", "mdy", "property_type"),
        ("05/06/2024", None, "property_type"),
    ],
)
def test_a_date_is_read_as_a_birth_date_is(
    text: str, date_format: DateFormat | None, value: str, from_text: bool
) -> None:
    definitions = Definitions([Definition(name="since", type="date")], date_format)
    checked = definitions.check({"since": text}, from_text=from_text)
    assert (checked.code.value if isinstance(checked, Fault) else checked["since"]) == value
    if text == "05/06/2024" and isinstance(checked, Fault):
        assert "date_format=dmy" in checked.message


def test_a_column_finds_its_property_in_any_case() -> None:
    assert DEFINITIONS.check({"vip": "true", "SCORE": "1"}, from_text=True) == {"Vip": True, "score": 1}
    assert DEFINITIONS.check({"twin": "1"}, from_text=True) == {"twin": 1}
    assert DEFINITIONS.check({"Twin": "x"}, from_text=True) == {"Twin": "x"}
    fault = DEFINITIONS.check({"TWIN": "x"}, from_text=True)
    assert isinstance(fault, Fault)
    assert fault.code.value == "unknown_property"
