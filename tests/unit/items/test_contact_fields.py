"""Each declared field of a contact is in the items, the view, the bodies and the reference."""

import json
from pathlib import Path
from typing import Annotated, Any, Required

import pytest
from pydantic import StringConstraints, TypeAdapter
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from schemas.items.contact_field import Column, ContactField, NumberKeys, spelled, stored_fields
from schemas.items.contacts import CONTACT_FIELDS, ITEM_FIELDS, KEY, ContactItem, known_column, merge
from schemas.items.reader import Reader
from schemas.wire.contact_bodies import ContactChange, NewContact
from schemas.wire.contacts import Contact
from tests.contact_values import value_of

READER = Reader(ContactItem, known_column)
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "contacts.md"

each_field = pytest.mark.parametrize("field", CONTACT_FIELDS, ids=lambda field: field.name)
each_item_field = pytest.mark.parametrize("field", ITEM_FIELDS, ids=lambda field: field.name)


def alias_of(field: ContactField) -> str:
    """Return the name of a field in the view and the bodies of single contacts."""
    return "phoneNumber" if field.name == KEY else to_camel(field.name)


@each_field
def test_a_field_is_in_the_view_and_in_the_bodies(field: ContactField) -> None:
    for model in (Contact, ContactChange, NewContact):
        assert model.model_fields[field.name].alias == alias_of(field), model


@each_field
def test_a_field_is_described_in_the_reference(field: ContactField) -> None:
    text = REFERENCE.read_text()
    assert f'"{alias_of(field)}": ' in text, "missing in the example"
    assert f"`{alias_of(field)}`" in text, "missing in the table"


@each_item_field
def test_json_knows_every_spelling(field: ContactField) -> None:
    for name in field.spellings:
        item = {"phone": "+14155552671"} if field.name != KEY else {}
        assert field.name in READER.read_line(json.dumps(item | {name: value_of(field)}).encode())


@each_item_field
def test_csv_knows_every_spelling(field: ContactField) -> None:
    for name in field.spellings:
        assert known_column(name.casefold()) == field.name
        assert known_column(f"{field.name}.no such key") == (
            f"{field.name}.no such key" if field.by_key else None
        )


@each_item_field
def test_csv_reads_a_cell(field: ContactField) -> None:
    value: Any = value_of(field)
    cell = json.dumps(value) if field.is_json else str(value)
    read: Any = READER.read_cells({"phone": "+14155552671", field.name: cell})
    assert str(read[field.name]) == str(value)


@pytest.mark.parametrize("field", [field for field in ITEM_FIELDS if field.is_json], ids=lambda f: f.name)
def test_csv_reads_one_column_per_key(field: ContactField) -> None:
    cells = {f"{field.name}.{key}": str(value) for key, value in value_of(field).items()}
    assert all(known_column(column) == column for column in cells)
    read: Any = READER.read_cells({"phone": "+14155552671", **cells})
    assert read[field.name] == {key: str(value) for key, value in value_of(field).items()}


@pytest.mark.parametrize("field", [field for field in ITEM_FIELDS if field.by_key], ids=lambda f: f.name)
def test_two_items_of_one_request_merge_by_key(field: ContactField) -> None:
    earlier: Any = {"phone": "+14155552671", field.name: {"a": 1, "b": 1}}
    later: Any = {"phone": "+14155552671", field.name: {"b": None, "c": 2}}
    assert dict(merge(earlier, later))[field.name] == {"a": 1, "b": None, "c": 2}


class Pet(TypedDict, total=False):
    """A declaration with fields of every kind."""

    tag: Required[Annotated[str, spelled("tag", "Tag"), Column("text", collation="C")]]
    mark: Any
    name: Annotated[Annotated[str, StringConstraints(max_length=3)] | None, Column("text")]
    born: Annotated[str | None, NumberKeys(("year",)), Column("text")]
    notes: Annotated[dict[str, Any] | None, Column("jsonb", default="'{}'", merge="by_key")]


def test_a_declaration_defines_all_attributes_of_a_field() -> None:
    tag, name, born, notes = stored_fields(Pet, in_items=True)
    assert (tag.name, tag.spellings, tag.required, tag.not_null) == ("tag", ("tag", "Tag"), True, True)
    assert (tag.column.collation, tag.type, tag.nested) == ("C", str, False)
    assert (name.spellings, name.plain_type, name.not_null) == (("name",), str | None, False)
    assert TypeAdapter(name.type).json_schema()["anyOf"][0]["maxLength"] == 3
    assert (born.nested, born.has_key("year"), born.has_key("day")) == (True, True, False)
    assert (notes.by_key, notes.not_null, notes.plain_type) == (True, True, dict[str, Any])
    assert notes.has_key("anything")


def test_a_field_with_a_default_must_merge_by_key() -> None:
    class Wrong(TypedDict):
        count: Annotated[int | None, Column("integer", default="0")]

    with pytest.raises(TypeError, match="count has a default"):
        list(stored_fields(Wrong, in_items=True))
