"""The view of a contact: the same object, in camelCase, in every response that has contacts."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, create_model

from schemas.items.contact_field import ContactField
from schemas.items.contacts import CONTACT_FIELDS
from schemas.states import ErasureState
from schemas.wire.base import CamelCase, Moment, Wire
from schemas.wire.jobs import ItemErrorView
from schemas.wire.resources import Audience, ContactList, Label, OptIn
from schemas.wire.security.audit import CallerView

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


class FieldChange(Wire):
    """A field of a contact before and after a change; null: it had no value.

    `field` is a field of a contact, in snake_case. Or it is `list:lst_…`, `label:lbl_…` or `audience:aud_…`,
    and its value is since when the contact is a member. Or it is `channel:…`, and its value is an opt-in. Or
    it is `contact`, if all of the contact was created or deleted.
    """

    field: str
    old: Any
    new: Any


class TouchingJob(Wire):
    """A job that touched a contact, with its last item that names it; null: none does."""

    id: str  # job_…
    name: str | None
    operation: str
    state: str
    item_index: int | None
    outcome: str | None


class HistoryEntry(Wire):
    """What a job, or a single request, did to a contact: one of `job` and `by` is null."""

    at: datetime  # when the job was received, or the request changed the contact
    job: TouchingJob | None
    by: CallerView | None
    # newest first; empty: it changed nothing, or created the contact, or UNDO_DAYS are over
    changes: list[FieldChange]


class NotSearched(Wire):
    """Jobs and resumable uploads that are not over: what they have brought is not searched."""

    jobs: int
    uploads: int


class TracedResultView(Wire):
    """What became of an item that named the contact."""

    job_id: str
    index: int
    outcome: str


class TracedErrorView(ItemErrorView):
    """A failed item that names the contact."""

    job_id: str


class TracedRowView(Wire):
    """A row of a job with `unknown_columns=keep` that names the contact, as it was sent."""

    job_id: str
    index: int
    item: Any


class TracedChangeView(Wire):
    """A change of a field, or of a membership or opt-in, as far as they are kept (UNDO_DAYS)."""

    job_id: str | None  # null: a single change over REST
    field: str
    at: datetime
    old: Any
    new: Any


class ContactData(Wire):
    """All that is stored about a contact."""

    contact: Contact
    lists: list[ContactList]
    labels: list[Label]
    audiences: list[Audience]
    opt_ins: list[OptIn]
    recorded_changes: list[dict[str, Any]]  # over REST, while a job is not over that may have to know them
    changes: list[TracedChangeView]
    results: list[TracedResultView]
    errors: list[TracedErrorView]
    rows: list[TracedRowView]
    not_searched: NotSearched


class ErasureView(Wire):
    """The erasure of a contact. `checked`: failed items and parts; `erased`: items and rows among them."""

    id: str
    contact_id: str
    state: ErasureState
    waits_for: NotSearched | None  # null: for nothing
    checked: int
    erased: int
    created_at: datetime
    finished_at: datetime | None
