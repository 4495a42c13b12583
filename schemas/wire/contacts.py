"""A contact as a client reads it: one object, in camelCase, wherever contacts are shown."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, create_model

from schemas.items.contact_field import ContactField
from schemas.items.contacts import CONTACT_FIELDS
from schemas.wire.base import CamelCase, Moment, Wire

Model = TypeVar("Model", bound=BaseModel)
Definition = tuple[Any, Any]  # of a field of a model: its type, and its default or FieldInfo


def with_contact_fields(
    define: Callable[[ContactField], Definition], others: Mapping[str, Definition]
) -> Callable[[type[Model]], type[Model]]:
    """Decorate a model: add the declared fields of a contact that it does not define itself, in order.

    `define` makes a field of the model from a declared one, `others` replaces single ones. Fields are named
    like their columns.
    """

    def decorate(model: type[Model]) -> type[Model]:
        fields: dict[str, Any] = {
            field.name: others.get(field.name) or define(field)
            for field in CONTACT_FIELDS
            if field.name not in model.model_fields
        }
        return create_model(
            model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **fields
        )

    return decorate


VIEWED_AS: dict[str, Definition] = {
    "communication_preference": (str, ...),  # the first one of the setting where it was never set
    "team_id": (str | None, ...),  # team_…
}


@with_contact_fields(lambda field: (field.plain_type, ...), VIEWED_AS)
class Contact(CamelCase):
    """A contact; the first fields are those of the document, in its order."""

    id: str  # ctc_…
    name: str | None
    phone: str = Field(alias="phoneNumber")  # E.164
    language: str | None
    metadata: dict[str, Any]
    organization_id: str  # org_ and the number of the account
    created_at: Moment
    updated_at: Moment
    # then the other declared fields


class ContactPage(CamelCase):
    """One page of contacts, by its number."""

    data: list[Contact]
    total: int
    page: int
    limit: int
    total_pages: int


class Deleted(Wire):
    """The contact is gone."""

    success: Literal[True] = True
