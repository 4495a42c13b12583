"""The guards of resumable uploads."""

from tests.faults.chaos.guards.mutation import Mutation

UPLOADS = "tests/integration/api/uploads"

UPLOAD_GUARDS = (
    Mutation(
        guard="upload: only the newest request appends",
        promise="P2",
        file="storage/resumable/upload_pieces.sql",
        text="      AND (token = :token OR (:complete AND",
        instead="      AND (token = :token OR true OR (:complete AND",
        tests=(f"{UPLOADS}/test_upload_takeover.py",),
    ),
    Mutation(
        guard="upload: one attempt at a time makes its job",
        promise="P2",
        file="storage/resumable/attempts.py",
        text='    if job is not None and job["live"]:\n        return Begun.RUNNING\n',
        instead="",
        tests=(f"{UPLOADS}/test_upload_takeover.py",),
    ),
    Mutation(
        guard="upload: it ends in the transaction that accepts its job",
        promise="P2",
        file="api/accept/upload.py",
        text="may_finish = self._staged is None or await self._staged.finish(conn)",
        instead="may_finish = True",
        tests=(f"{UPLOADS}/test_uploads.py",),
    ),
)
