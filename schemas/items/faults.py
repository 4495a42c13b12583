"""Translate pydantic's errors about an item into a fault whose message says what to do."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from schemas.item_errors import ItemCode
from schemas.items.contacts import CONTACT_FIELDS


class Fault(NamedTuple):
    """What is wrong with an item, before its index is known."""

    field: str | None
    code: ItemCode
    message: str
    value: Any


CODES = {
    "missing": ItemCode.MISSING_FIELD,
    "extra_forbidden": ItemCode.UNKNOWN_FIELD,
    "json_invalid": ItemCode.INVALID_JSON,
    "string_too_long": ItemCode.TOO_LONG,
    "string_too_short": ItemCode.TOO_SHORT,
    "greater_than_equal": ItemCode.OUT_OF_RANGE,
    "less_than_equal": ItemCode.OUT_OF_RANGE,
    "string_pattern_mismatch": ItemCode.INVALID_EMAIL,  # an e-mail is the one field with a pattern
    "uuid_parsing": ItemCode.INVALID_VALUE,
}

REFERENCE = "Reference"  # in the title of pydantic's error about an item that only names a contact

SET_ELSEWHERE = {"communication_preference": "send its contacts to preferences.set"}


def _set_one_by_one() -> Iterator[tuple[str, str]]:
    """Yield the fields that a contact item cannot set, in both spellings, and how to set them."""
    for name in (field.name for field in CONTACT_FIELDS if not field.in_items):
        camel, patch = to_camel(name), "PATCH /v1/contacts/{id} sets it"
        yield camel, SET_ELSEWHERE.get(name, patch)
        yield name, SET_ELSEWHERE.get(name, f"{patch}, as {camel}")


ONE_BY_ONE = dict(_set_one_by_one())

OWN_CODES = frozenset(code.value for code in ItemCode)  # raised by the validators of schemas.items.contacts


def fault_of(error: ValidationError) -> Fault:
    """Return the first fault, in the order of the fields."""
    first = error.errors(include_url=False)[0]
    kind, location = first["type"], first["loc"]
    code = _code(kind, whole=not location)
    field = str(location[0]) if location else None
    context: dict[str, Any] = first.get("ctx", {})
    value = None if code is ItemCode.MISSING_FIELD else first["input"]
    if code is ItemCode.INVALID_JSON:
        value = None  # the item itself carries the text
    message = _message_of_reference(code, field) if REFERENCE in error.title else None
    return Fault(
        field, code, message or _message(code, ".".join(map(str, location)), first["msg"], context), value
    )


def _code(kind: str, *, whole: bool) -> ItemCode:
    if kind in CODES:
        return CODES[kind]
    if kind in OWN_CODES:
        return ItemCode(kind)
    return ItemCode.NOT_AN_OBJECT if whole else ItemCode.WRONG_TYPE


def _message(code: ItemCode, path: str, text: str, context: dict[str, Any]) -> str:
    match code:
        case ItemCode.MISSING_FIELD:
            return f"{path} is missing: every item needs it"
        case ItemCode.UNKNOWN_FIELD if path in ONE_BY_ONE:
            return f"{path} cannot be set by a contact item: {ONE_BY_ONE[path]}"
        case ItemCode.UNKNOWN_FIELD:
            return f"{path} is not a field of a contact: put data of your own under metadata"
        case ItemCode.TOO_LONG:
            return f"{path} is longer than {context['max_length']} characters: shorten it"
        case ItemCode.TOO_SHORT:
            return f"{path} is empty: leave it out, or give a value"
        case ItemCode.INVALID_EMAIL:
            return f"{path} is not an e-mail address: write one like ana@example.com"
        case ItemCode.NOT_AN_OBJECT:
            return 'the item is not an object: write one like {"phone": "+14155552671"}'
        case ItemCode.OUT_OF_RANGE | ItemCode.WRONG_TYPE | ItemCode.INVALID_VALUE:
            return f"{path}: {text[0].lower()}{text[1:]}"
        case ItemCode.INVALID_JSON:
            return text
        case _:
            return f"{path} {text}"


def _message_of_reference(code: ItemCode, field: str | None) -> str | None:
    """Return the message for an item that only names a contact; None: the general message applies."""
    match code:
        case ItemCode.UNKNOWN_FIELD:
            return f"{field} is not accepted: name the contact by id, phone or external_id, and only once"
        case ItemCode.NOT_AN_OBJECT:
            return (
                'the item names no contact: write {"id": …}, {"phone": "+14155552671"} or '
                '{"external_id": …}, or a phone number as a text: "+14155552671"'
            )
        case ItemCode.WRONG_TYPE if field == "id":
            return "id: input should be a number, or text like ctc_00000000000000000000000001"
        case _:
            return None
