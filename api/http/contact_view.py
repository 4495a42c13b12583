"""The view of a stored contact."""

from typing import Any

from schemas.ids import show_account_id, show_id
from schemas.settings import Settings
from schemas.wire.contacts import Contact
from storage.entities.contact_columns import ContactRow


def contact_view(row: ContactRow, settings: Settings) -> Contact:
    """Return a contact as a client reads it; without a communication preference, it shows the default."""
    fields = row.fields
    shown: dict[str, Any] = {
        **fields,
        "communication_preference": fields["communication_preference"] or settings.default_preference,
        "team_id": show_id("team", fields["team_id"]) if fields["team_id"] else None,
    }
    return Contact.model_construct(
        **shown,
        id=show_id("ctc", row.id),
        organization_id=show_account_id(row.account_id),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
