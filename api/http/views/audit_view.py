"""The audit of a job, as clients and the operator read it."""

from schemas.callers import Caller, CallerKind
from schemas.ids import show_job_id
from schemas.wire.security.audit import AuditEntry, CallerView
from storage.inspection.job_audit import ActionRow


def audit_entry(row: ActionRow, *, whole: bool = False) -> AuditEntry:
    """Return an action on a job. Only the operator sees the `whole`: from where the operator has acted."""
    return AuditEntry(
        action=row.action.value,
        at=row.at,
        by=caller_view(row.caller, row.key_name, whole=whole) if row.caller else None,
        job_id=show_job_id(row.job_id) if row.job_id else None,
    )


def caller_view(caller: Caller, key_name: str | None, *, whole: bool = False) -> CallerView:
    """Return who made a request. `whole`: as in `audit_entry`."""
    shown = whole or caller.kind is CallerKind.KEY
    return CallerView(
        kind=caller.kind.value,
        key_id=caller.key_id,
        key_name=key_name,
        session=caller.session,
        address=caller.address if shown else None,
        user_agent=caller.user_agent if shown else None,
        request_id=caller.request_id,
    )
