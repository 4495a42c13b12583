"""Items that name a contact: how they are read, and how invalid ones are reported."""

import json
from typing import Any

import pytest

from api.handlers.partners.job_results import phone_of
from schemas.ids import read_id
from schemas.items.contacts import PHONE_NAMES
from schemas.items.faults import Fault
from schemas.operations import BY_ID, BY_PHONE, CONTACT


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("7", {"id": 7}),
        ('"ctc_1"', {"id": "ctc_1"}),
        ('{"contact_id": 7}', {"id": 7}),
        ('{"contactId": "7"}', {"id": "7"}),
        ('{"phoneNumber": "+1"}', {"phone": "+1"}),
        ('{"externalId": "e", "ref": "r"}', {"external_id": "e", "ref": "r"}),
    ],
)
def test_a_bare_value_is_an_id_and_a_field_has_several_names(line: str, item: Any) -> None:
    assert BY_ID.reader.read_line(line.encode()) == item


def test_a_bare_text_is_a_phone_where_phones_are_expected() -> None:
    assert BY_PHONE.reader.read_line(b'"+1 415"') == {"phone": "+1 415"}
    assert isinstance(BY_PHONE.reader.read_line(b"7"), Fault)
    assert BY_PHONE.reader.read_line(b'{"phone": 919876543210.0}') == {"phone": "919876543210.0"}


@pytest.mark.parametrize(
    ("item", "field", "code", "words"),
    [
        ({"id": 1, "name": "Ana"}, "name", "unknown_field", "name the contact by id, phone or external_id"),
        ({"id": 1, "contact_id": 1}, "contact_id", "unknown_field", "once"),
        ([1], None, "not_an_object", "the item names no contact"),
        (None, None, "not_an_object", "external_id"),
        (True, None, "not_an_object", "the item names no contact"),
        ({"id": 1.5}, "id", "wrong_type", "ctc_"),
        ({"id": False}, "id", "wrong_type", "a number"),
        ({"phone": True}, "phone", "wrong_type", "phone: input should be a valid string"),
        ({"external_id": 7}, "external_id", "wrong_type", "external_id"),
        ({"id": 7.0}, "id", "wrong_type", "a number"),
        ({"id": "nan"}, "id", "not_a_value", "stands for no value"),
        ({"external_id": "NULL"}, "external_id", "not_a_value", "stands for no value"),
        ({"id": "1.23457E+11"}, "id", "altered_number", "export the column as text"),
        ({"external_id": "1.23457E+11"}, "external_id", "altered_number", "export the column as text"),
    ],
)
def test_the_message_of_an_invalid_reference_speaks_of_references(
    item: Any, field: str | None, code: str, words: str
) -> None:
    for kind in (BY_ID, BY_PHONE):
        fault = kind.reader.read_line(json.dumps(item).encode())
        assert isinstance(fault, Fault)
        assert (fault.field, fault.code.value, fault.value) == (
            field,
            code,
            item if field is None else item[field],
        )
        assert words in fault.message
        assert "metadata" not in fault.message


def test_the_message_of_an_invalid_contact_speaks_of_contacts() -> None:
    fault = CONTACT.reader.read_line(b'{"phone": "+1", "planet": "Earth"}')
    assert isinstance(fault, Fault)
    assert fault.message == "planet is not a field of a contact: put data of your own under metadata"


@pytest.mark.parametrize("column", ["id", "external_id"])
@pytest.mark.parametrize(
    ("cell", "code"), [("17.0", "altered_number"), ("1E+05", "altered_number"), ("nan", "not_a_value")]
)
def test_a_cell_never_names_another_contact(column: str, cell: str, code: str) -> None:
    fault = BY_ID.reader.read_cells({column: cell})
    assert isinstance(fault, Fault), fault
    assert (fault.field, fault.code.value, fault.value) == (column, code, cell)


def test_digits_that_start_with_0_are_an_id_of_the_client() -> None:
    assert [read_id("ctc", text) for text in ("7", "007", "0", "7.0", "+7", " 7")] == [7, *[None] * 5]


@pytest.mark.parametrize("line", [b"{", b'{"id": NaN}', b'"\\ud800"'])
def test_a_line_that_is_not_json_is_reported(line: bytes) -> None:
    fault = BY_ID.reader.read_line(line)
    assert isinstance(fault, Fault)
    assert fault.code.value == "invalid_json"


@pytest.mark.parametrize("name", PHONE_NAMES)
def test_the_error_of_an_item_shows_its_phone_in_any_spelling(name: str) -> None:
    assert phone_of({name: "12", "ref": "r"}, otherwise=None) == "12"
