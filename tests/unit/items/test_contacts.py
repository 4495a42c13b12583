"""The fields of a contact: which values are taken, which are refused, and with which code."""

import json
from typing import Annotated, Any

import pytest
from typing_extensions import TypedDict

from schemas.formats.ndjson import KeySearch
from schemas.items import contacts
from schemas.items.contact_field import Column, spelled, stored_fields
from schemas.items.contacts import SPELLINGS, ContactItem, known_column, may_move_phones, merge
from schemas.items.faults import Fault
from schemas.items.reader import Reader

READER = Reader(ContactItem, known_column)
PHONE = "+14155552671"


def read(**fields: Any) -> Any:
    return READER.read_line(json.dumps({"phone": PHONE, **fields}).encode())


def cells(**fields: str) -> Any:
    return READER.read_cells(
        {"phone": PHONE, **{name.replace("__", "."): cell for name, cell in fields.items()}}
    )


def test_the_number_of_language_tags_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    contacts.LANGUAGES.clear()  # of what other tests have read
    monkeypatch.setattr(contacts.LANGUAGES, "MOST", 5)
    for spaces in range(20):
        assert read(language="en" + " " * spaces)["language"] == "en"
        assert len(contacts.LANGUAGES) <= 5


@pytest.mark.parametrize("name", ["phone", "phone_number", "phoneNumber"])
def test_the_phone_has_three_names(name: str) -> None:
    assert READER.read_line(json.dumps({name: PHONE}).encode()) == {"phone": PHONE}


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("language", "hi_in", "hi-IN"),
        ("language", "en ", "en"),
        ("timezone", "Asia/Kolkata", "Asia/Kolkata"),
        ("timezone", " Asia/Kolkata ", "Asia/Kolkata"),
        ("birth_date", "1990-05-17", "1990-05-17"),
        ("birth_date", {"day": 17, "month": 5, "year": 1990}, "1990-05-17"),
        ("birth_date", {"day": 29, "month": 2}, "--02-29"),
        ("age", 0, 0),
        ("name", "x" * 255, "x" * 255),
        ("metadata", {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ("properties", {"a": 1, "b": True, "c": "x", "d": 1.5}, {"a": 1, "b": True, "c": "x", "d": 1.5}),
        ("address", {"city": "Parma"}, {"city": "Parma"}),
        ("email", None, None),
    ],
)
def test_a_valid_value_is_taken(field: str, value: Any, stored: Any) -> None:
    assert read(**{field: value})[field] == stored


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "x" * 256, "too_long"),
        ("name", 7, "wrong_type"),
        ("email", "ana at example.com", "invalid_email"),
        ("email", f"{'x' * 250}@example.com", "too_long"),
        ("external_id", "", "too_short"),
        ("language", "no such language", "invalid_language"),
        ("language", "true", "invalid_language"),
        ("external_id", "nan", "not_a_value"),
        ("external_id", "None", "not_a_value"),
        ("external_id", "NULL", "not_a_value"),
        ("external_id", "undefined", "not_a_value"),
        ("external_id", "1.23457E+11", "altered_number"),
        ("external_id", 123, "wrong_type"),
        ("external_id", 123.0, "wrong_type"),
        ("age", 12.0, "wrong_type"),
        ("age", True, "wrong_type"),
        ("name", True, "wrong_type"),
        ("timezone", "Mars/Olympus", "invalid_timezone"),
        ("age", -1, "out_of_range"),
        ("age", "42", "wrong_type"),
        ("birth_date", "1990-02-30", "invalid_birth_date"),
        ("birth_date", {"day": 29, "month": 2, "year": 2023}, "invalid_birth_date"),
        ("birth_date", {"day": True, "month": 2}, "invalid_birth_date"),
        ("address", {"planet": "Earth"}, "unknown_field"),
        ("default_channel_id", "x", "invalid_value"),
        ("metadata", [1], "wrong_type"),
        ("properties", {"a": [1]}, "wrong_type"),
        ("planet", "Earth", "unknown_field"),
        ("phone", True, "wrong_type"),
        ("phone", [14155552671], "wrong_type"),
    ],
)
def test_an_invalid_value_is_reported_with_field_and_code(field: str, value: Any, code: str) -> None:
    fault = read(**{field: value})
    assert isinstance(fault, Fault)
    assert (fault.field, fault.code.value) == (field, code)
    assert fault.message


@pytest.mark.parametrize("name", ["phone", "phoneNumber"])
@pytest.mark.parametrize("number", ["919876543210", "919876543210.0", "9.1988E+11", "-5"])
def test_a_phone_that_is_a_number_is_read_with_the_characters_of_the_number(name: str, number: str) -> None:
    line = f'{{"{name}": {number}, "age": 7, "metadata": {{"a": 1.50}}}}'.encode()
    assert READER.read_line(line) == {"phone": number, "age": 7, "metadata": {"a": 1.5}}
    fault = READER.read_line(line.replace(b'"age": 7', b'"age": "x"'))
    assert (fault.field, fault.code) == ("age", "wrong_type")


def test_an_item_without_phone_is_reported() -> None:
    fault = READER.read_line(b'{"name": "Ana"}')
    assert (fault.field, fault.code.value, fault.value) == ("phone", "missing_field", None)


@pytest.mark.parametrize("field", ["name", "nickname"])
@pytest.mark.parametrize("cell", ["Null", "NULL", "None", "NAN", "nan"])
def test_a_name_in_csv_may_be_a_word_that_programs_write_for_no_value(field: str, cell: str) -> None:
    assert cells(**{field: cell})[field] == cell


def test_csv_reads_numbers_and_json_fields_from_text() -> None:
    item = cells(
        age="42", metadata='{"a": 1}', metadata__city="Parma", birth_date__day="17", birth_date__month="5"
    )
    assert item["age"] == 42
    assert item["metadata"] == {"a": 1, "city": "Parma"}
    assert item["birth_date"] == "--05-17"


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("name", "\\N", "not_a_value"),
        ("name", "#N/A", "not_a_value"),
        ("language", "nan", "not_a_value"),
        ("email", "None", "not_a_value"),
        ("external_id", "Nan", "not_a_value"),
        ("external_id", "<NA>", "not_a_value"),
        ("address__city", "null", "not_a_value"),
        ("external_id", "123.0", "altered_number"),
        ("external_id", "123,00", "altered_number"),
        ("external_id", "1.23457E+11", "altered_number"),
        ("external_id", "1,23457E+11", "altered_number"),
        ("age", "1e2", "wrong_type"),
        ("age", "True", "wrong_type"),
        ("age", "4_2", "wrong_type"),
        ("age", "12.5", "wrong_type"),
        ("birth_date", "01/02/1990", "invalid_birth_date"),
        ("birth_date", "33010", "invalid_birth_date"),
        ("email", " ana@example.com", "invalid_email"),
        ("email", "a@example.com b@example.com", "invalid_email"),
    ],
)
def test_a_cell_is_never_read_as_another_value(column: str, cell: str, code: str) -> None:
    fault = cells(**{column: cell})
    assert isinstance(fault, Fault), fault
    assert (fault.field, fault.code.value) == (column.replace("__", "."), code)
    assert fault.message.startswith(fault.field or "?")


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("age", "12.0", 12),  # pandas writes whole numbers so if a cell of the column is empty
        ("name", "Null", "Null"),  # a family name
        ("name", "12.0", "12.0"),
        ("external_id", "3E12", "3E12"),
        ("external_id", "1.2.0", "1.2.0"),
        ("external_id", "007", "007"),
        ("language", "nan-Hant", "nan-Hant"),  # Min Nan Chinese
    ],
)
def test_a_cell_that_has_one_meaning_is_taken(column: str, cell: str, value: Any) -> None:
    assert cells(**{column: cell})[column] == value


def test_the_parts_of_a_birth_date_may_be_decimals() -> None:
    parts = {"birth_date__day": "17.0", "birth_date__month": "5.0", "birth_date__year": "1990.0"}
    assert cells(**parts)["birth_date"] == "1990-05-17"


def test_own_data_may_say_none() -> None:
    item = cells(metadata__allergies="None", properties__plan="N/A", ref="nan")
    assert (item["metadata"], item["properties"], item["ref"]) == (
        {"allergies": "None"},
        {"plan": "N/A"},
        "nan",
    )


def test_json_tells_a_text_that_looks_like_a_number() -> None:
    assert read(external_id="123.0")["external_id"] == "123.0"
    assert read(name="null", language="nan") == {"phone": PHONE, "name": "null", "language": "nan"}


def test_a_json_field_that_is_not_json_is_reported() -> None:
    fault = cells(metadata="not json")
    assert (fault.field, fault.code.value, fault.value) == ("metadata", "wrong_type", "not json")


def test_the_later_item_wins_and_json_fields_merge_by_key() -> None:
    earlier: ContactItem = {"phone": PHONE, "name": "Ana", "email": "a@b.cd", "metadata": {"a": 1, "b": 1}}
    later: ContactItem = {"phone": PHONE, "name": None, "metadata": {"b": None, "c": 2}}
    assert merge(earlier, later) == {
        "phone": PHONE,
        "name": None,
        "email": "a@b.cd",
        "metadata": {"a": 1, "b": None, "c": 2},
    }


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("phonenumber", "phone"),
        ("metadata.city", "metadata.city"),
        ("error_code", ""),
        ("planet", None),
        ("name.x", None),
    ],
)
def test_a_column_is_known_by_its_name(column: str, field: str | None) -> None:
    assert known_column(column) == field


@pytest.mark.parametrize(
    "cell", ['{"a": "\\ud800"}', '{"a": NaN}', '{"a": 1e999}', '{"a":' * 2000 + "1" + "}" * 2000, "[1]"]
)
def test_a_json_field_in_a_cell_follows_the_rules_of_json(cell: str) -> None:
    fault = cells(metadata=cell)
    assert isinstance(fault, Fault)
    assert (fault.field, fault.code.value) == ("metadata", "wrong_type")


@pytest.mark.parametrize("spelling", SPELLINGS["external_id"])
def test_an_external_id_in_any_spelling_makes_chunks_run_in_order(spelling: str) -> None:
    line = json.dumps({"phone": PHONE, spelling: "crm-1"}).encode()
    assert READER.read_line(line) == {"phone": PHONE, "external_id": "crm-1"}
    assert may_move_phones(line)
    assert not may_move_phones(json.dumps({"phone": PHONE, "name": "N"}).encode())


def test_the_key_search_finds_an_added_spelling() -> None:
    class Item(TypedDict, total=False):
        external_id: Annotated[str, spelled("external_id", "externalId", "crmId"), Column("text")]

    (field,) = stored_fields(Item, in_items=True)
    assert KeySearch(field.spellings).may_be_in(b'{"crm\\u0049d": "crm-1"}')


def test_a_birth_date_cannot_be_one_column_and_a_column_per_key() -> None:
    for names in (("birth_date", "birth_date__day"), ("birth_date__day", "birth_date")):
        fault = cells(**dict.fromkeys(names, "17"))
        assert isinstance(fault, Fault)
        assert (fault.field, fault.code) == ("birth_date", "wrong_type")
