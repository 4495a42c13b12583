"""A valid value for each declared field of a contact."""

from typing import Any

from schemas.ids import AccountId
from schemas.items.contact_field import ContactField
from storage.context import Context
from tests.factories import make_channel, make_property

BY_TYPE: dict[str, Any] = {"text": "x", "smallint": 7, "integer": 7, "bigint": 7, "boolean": True}
# For fields that do not accept every short text or small number.
BY_NAME: dict[str, Any] = {
    "phone": "+14155552671",
    "email": "ana@example.com",
    "language": "hi-IN",
    "timezone": "Asia/Kolkata",
    "birth_date": "1990-05-17",
    "address": {"city": "Pune"},
    "metadata": {"a": 1},
    "properties": {"a": 1},
    "default_channel_id": "0d5b7f7e-2f0c-4a51-9d0e-6f3f0b6f8a11",
    "communication_preference": "mute_all",
}


def value_of(field: ContactField) -> Any:
    """Return a valid value of the field, as JSON."""
    if field.name not in BY_NAME and field.column.type not in BY_TYPE:
        raise LookupError(f"tests.contact_values has no value for the field {field.name}: add one")
    return BY_NAME.get(field.name, BY_TYPE.get(field.column.type))


async def make_value(ctx: Context, account_id: AccountId, field: ContactField) -> Any:
    """Return a value that is valid in this account; create the channel or property that it needs."""
    match field.name:
        case "default_channel_id":
            return str(await make_channel(ctx, account_id))
        case "properties":
            await make_property(ctx, account_id, "a", "number")
    return value_of(field)
