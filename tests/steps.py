"""The steps at which a fault can be armed: the names that the code passes to `failpoints.reach`."""

# of a claim, of the application of chunks, and of the end of jobs
OF_CHUNKS = (
    "claim.committed",
    "apply.after_copy",
    "apply.after_upsert",
    "apply.before_commit",
    "apply.after_commit",
    "finish.before_commit",
    "finish.after_commit",
)
