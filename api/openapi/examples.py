"""Examples in the OpenAPI document: requests and responses from the partners' documentation, and our own."""

from typing import Any

from schemas.ids import show_id
from schemas.wire.contacts import Contact

CONTACT_ID = show_id("ctc", 1)
LABEL_ID = show_id("lbl", 1)
LIST_ID = show_id("lst", 1)
AUDIENCE_ID = show_id("aud", 1)

PREFERENCES: dict[str, Any] = {
    "phone_numbers": ["9876543210", "+919876543211"],
    "communication_preference": "mute_all",
}
PREFERENCES_RESULT: dict[str, Any] = {
    "updated_contacts": [
        {
            "id": 1,
            "name": "Alfred Hitchcock",
            "phone_number": "+919876543210",
            "email": "alfred@example.com",
            "age": None,
            "gender": None,
            "language": "en",
            "nickname": None,
            "opted_out": False,
            "communication_preference": "mute_all",
            "timezone": None,
            "metadata": {"source": "website"},
        }
    ],
    "errors": [],
    "total_requested": 1,
    "updated_count": 1,
    "error_count": 0,
}

# Whippy documents fields, but no example of a request.
LIST_CONTACTS: dict[str, Any] = {
    "action": "add",
    "contacts": [
        {
            "phone": "+919876543210",
            "name": "Priya Sharma",
            "email": "priya@example.com",
            "external_id": "crm-17",
            "language": "en",
            "birth_date": {"day": 17, "month": 5, "year": 1990},
            "address": {"address_line_one": "1 Marine Drive", "city": "Mumbai", "country": "IN"},
        }
    ],
    "opt_in_to_all_channels": True,
}
LIST_RESULT: dict[str, Any] = {
    "data": {
        "message": "Contact list contacts are being updated",
        "list_id": LIST_ID,
        "added": 1,
        "removed": 0,
        "created": 1,
        "updated": 0,
        "failed": 0,
    },
    "errors": [],
}

LABEL: dict[str, Any] = {"contact_ids": [CONTACT_ID], "label_id": LABEL_ID, "operation": "attach"}
LABEL_RESULT: dict[str, Any] = {
    "data": {"applied": 1, "skipped_cross_org": 1, "skipped_team_mismatch": 1},
    "request_id": "req_01HXYZABCDEFGHJKMNPQRSTVWX",
}

CREATE_CONTACT: dict[str, Any] = {
    "name": "Priya Sharma",
    "phoneNumber": "+919876543210",
    "language": "hi-IN",
    "metadata": {"city": "Mumbai", "tier": "premium"},
}
UPDATE_CONTACT: dict[str, Any] = {"language": "en-IN", "metadata": {"city": "Delhi", "tier": "standard"}}
BULK_CREATE: dict[str, Any] = {
    "contacts": [
        {
            "name": "Priya Sharma",
            "phoneNumber": "+919876543210",
            "language": "hi-IN",
            "metadata": {"city": "Mumbai"},
        },
        {"name": "Ravi Kumar", "phoneNumber": "+919123456789", "language": "en-IN"},
    ]
}
BULK_DELETE: dict[str, Any] = {"contactIds": [show_id("ctc", 7), show_id("ctc", 8), show_id("ctc", 9)]}
BULK_DELETE_RESULT: dict[str, Any] = {"deleted": 3}
ADD_TO_AUDIENCE: dict[str, Any] = {"contactIds": [CONTACT_ID, show_id("ctc", 2)], "audienceId": AUDIENCE_ID}

JOB: dict[str, Any] = {
    "id": "job_01KAJ0Q5N4Q3S8Z6X2V7T1R9WC",
    "operation": "contacts.upsert",
    "state": "running",
    "stream": "contacts",
    "total": 1000,
    "name": "spring import",
    "tags": ["crm", "weekly"],
    "file_name": "contacts.csv",
    "counts": {
        "created": 400,
        "updated": 10,
        "unchanged": 3,
        "merged": 1,
        "skipped": 0,
        "failed": 2,
        "cancelled": 0,
        "pending": 584,
    },
    "memberships": {"added": 0, "removed": 0},
    "progress": 0.416,
    "position": 0,
    "throttled_until": None,
    "eta": "2026-11-21T10:00:04Z",
    "error": None,
    "errors": [
        {
            "index": 17,
            "ref": None,
            "field": "phone",
            "code": "phone_too_short",
            "message": "the phone number is too short",
            "value": "12",
            "item": {"phone": "12"},
        }
    ],
    "error_summary": [
        {
            "code": "phone_too_short",
            "field": "phone",
            "count": 2,
            "examples": [{"index": 17, "value": "12", "message": "the phone number is too short"}],
        }
    ],
    "children": [],
    "undone_by": [],
    "errors_url": "/v1/jobs/job_01KAJ0Q5N4Q3S8Z6X2V7T1R9WC/errors",
    "results_url": "/v1/jobs/job_01KAJ0Q5N4Q3S8Z6X2V7T1R9WC/results",
    "events_url": "/v1/jobs/job_01KAJ0Q5N4Q3S8Z6X2V7T1R9WC/events",
    "dry_run": False,
    "max_errors": "5%",
    "parent_id": None,
    "undoes": None,
    "request_id": "req_01KAJ0Q5N40000000000000000",
    "received_at": "2026-11-21T10:00:00Z",
    "accepted_at": "2026-11-21T10:00:00Z",
    "started_at": "2026-11-21T10:00:00Z",
    "finished_at": None,
}
ENVELOPE: dict[str, Any] = {
    "error": {
        "type": "invalid_request_error",
        "code": "invalid_parameter",
        "message": "limit: input should be less than or equal to 100",
        "param": "limit",
        "request_id": "req_01KAJ0Q5N40000000000000000",
    }
}
CONTACT: dict[str, Any] = {
    **{str(field.alias): None for field in Contact.model_fields.values()},
    "id": CONTACT_ID,
    "name": "Priya Sharma",
    "phoneNumber": "+919876543210",
    "language": "hi-IN",
    "metadata": {"city": "Mumbai", "tier": "premium"},
    "organizationId": "org_1",
    "createdAt": "2026-03-01T10:00:00.000Z",
    "updatedAt": "2026-03-15T08:30:00.000Z",
    "properties": {},
    "optedOut": False,
    "communicationPreference": "allow_all",
}
MODELS: dict[str, Any] = {"Job": JOB, "Envelope": ENVELOPE, "Contact": CONTACT}  # by component
