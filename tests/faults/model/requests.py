"""How a client asks for a job of the model."""

from schemas.ids import show_id
from schemas.operations import Operation
from tests.model.one_by_one import ModelJob


def query_of(job: ModelJob) -> dict[str, str]:
    """Return the parameters of the query that ask for a job."""
    query = {"dry_run": "true"} if job.dry_run else {}
    match job.operation:
        case Operation.LABELS_ATTACH | Operation.LABELS_DETACH:
            query["label_id"] = show_id("lbl", job.owner_id)
        case Operation.AUDIENCES_ADD:
            query["audience_id"] = show_id("aud", job.owner_id)
        case Operation.PREFERENCES_SET:
            query["preference"] = job.preference
        case Operation.LISTS_ADD | Operation.LISTS_OVERWRITE:
            query |= {"list_id": show_id("lst", job.owner_id), "opt_in_to": ",".join(job.channels)}
            query["override_opt_outs"] = str(job.override_opt_outs).lower()
        case Operation.LISTS_REMOVE:
            query["list_id"] = show_id("lst", job.owner_id)
        case _:
            pass
    if job.upserts:
        query["match_on"] = job.match_on
    return query
