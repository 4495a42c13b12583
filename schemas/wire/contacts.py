"""The view of a contact: the same object, in camelCase, in every response that has contacts."""

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

    `define` makes a field of the model from a declared one; `others` overrides it by name. Each field has the
    name of its column.
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
    "communication_preference": (str, ...),  # the default of the settings if it was never set
    "team_id": (str | None, ...),  # team_…
}


@with_contact_fields(lambda field: (field.plain_type, ...), VIEWED_AS)
class Contact(CamelCase):
    """A contact; the first fields are those that Oliai documents, in the same order."""

    id: str  # ctc_…
    name: str | None
    phone: str = Field(alias="phoneNumber")  # E.164
    language: str | None
    metadata: dict[str, Any]
    organization_id: str  # org_ and the number of the account
    created_at: Moment
    updated_at: Moment
    # with_contact_fields adds the other declared fields


class ContactPage(CamelCase):
    """One page of contacts, found by its number."""

    data: list[Contact]
    total: int
    page: int
    limit: int
    total_pages: int


class Deleted(Wire):
    """The contact is deleted."""

    success: Literal[True] = True
