"""The views of the history of a contact."""

import json
from typing import Any

from api.http.views.audit_view import caller_view
from schemas.ids import Prefix, show_id, show_job_id
from schemas.items.contact_field import ContactField
from schemas.items.contacts import CONTACT_FIELDS
from schemas.wire.contacts import FieldChange, HistoryEntry, TouchingJob
from storage.inspection import contact_history

OWNERS: dict[str, Prefix] = {"list": "lst", "label": "lbl", "audience": "aud"}
FIELDS = {field.name: field for field in CONTACT_FIELDS}


def history_entry(entry: contact_history.Touch) -> HistoryEntry:
    """Return an entry as a client reads it."""
    return HistoryEntry(
        at=entry.at,
        job=_job(entry.job) if entry.job else None,
        by=caller_view(entry.caller, entry.key_name) if entry.caller else None,
        changes=[_change(change) for change in entry.changes],
    )


def show_place(place: contact_history.HistoryPlace) -> str:
    """Return where a look ended as a cursor."""
    return f"{show_job_id(place.job_id)}.{place.first_index}.{place.number}.{place.single}"


def _job(job: contact_history.JobTouch) -> TouchingJob:
    return TouchingJob(
        id=show_job_id(job.id),
        name=job.name,
        operation=job.operation,
        state=job.state,
        item_index=job.item_index,
        outcome=job.outcome.word if job.outcome else None,
    )


def _change(change: contact_history.ChangedField) -> FieldChange:
    kind, _, id_ = change.field.partition(":")
    if kind in OWNERS:
        return FieldChange(field=f"{kind}:{show_id(OWNERS[kind], int(id_))}", old=change.old, new=change.new)
    values = [_value(kind, value) for value in (change.old, change.new)]
    return FieldChange(field=change.field, old=values[0], new=values[1])


def _value(kind: str, value: Any) -> Any:
    """Return a value as a client reads it: images hold text, except for JSON."""
    if value is None:
        return None
    match kind:
        case "channel":
            state, _, _since = value.partition(" ")
            said = "contact" if state.endswith("_by_contact") else "account"
            return {"opted_in": state.startswith("in"), "by": said}
        case "contact":
            return {name: _field(field, value.get(name)) for name, field in FIELDS.items()}
    return _field(FIELDS[kind], value)


def _field(field: ContactField, value: Any) -> Any:
    if value is None:
        return None
    if field.name == "team_id":
        return show_id("team", int(value))
    if isinstance(value, str) and field.column.type in ("smallint", "boolean"):
        return json.loads(value)
    return value
