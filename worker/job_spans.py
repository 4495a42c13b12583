"""The spans of a worker: what each step of a job is called, and what is noted of it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from schemas import traces
from schemas.ids import AccountId, JobId, show_account_id, show_job_id
from schemas.states import Outcome
from schemas.traces import TraceSpan
from storage.pipeline.chunks import Claim
from storage.pipeline.finish import End
from storage.pipeline.results import Done
from worker.operations.base import JobFacts

DRY_RUN = "job.dry_run"
KEPT_JOBS = 128  # the chunks of a job follow each other
Noted = dict[str, str | int | float | bool]


class TracedJob(JobFacts, Protocol):
    """A job, or a chunk of it, that this worker has claimed, with the trace that it belongs to."""

    @property
    def trace(self) -> str | None: ...


def span_of_job(name: str, job: TracedJob) -> TraceSpan:
    """Return the span of a step of a whole job: its finish, its dry run.

    A dry run makes the same statements for each chunk.
    """
    if not traces.are_on():
        return traces.NO_SPAN
    return traces.job_span(name, job.trace, _of_job(job), calls=name != DRY_RUN)


def span_of_split(trace: str | None, account_id: AccountId, job_id: JobId, part: int) -> TraceSpan:
    """Return the span of the split of a part."""
    if not traces.are_on():
        return traces.NO_SPAN
    attributes: Noted = {**_of_ids(account_id, job_id), "bulklane.part": part}
    return traces.job_span("job.split", trace, attributes, calls=False)


def span_of_chunk(claim: Claim) -> TraceSpan:
    """Return the span of a chunk that is applied alone."""
    if not traces.are_on():
        return traces.NO_SPAN
    return traces.job_span("job.chunk", claim.trace, _of_chunk(claim), "consumer", calls=False)


def span_of_chunks(claims: Sequence[Claim]) -> TraceSpan:
    """Return the span of the transaction that applies small jobs together, with a link to each of them."""
    if not traces.are_on():
        return traces.NO_SPAN
    attributes: Noted = {
        "messaging.batch.message_count": len(claims),
        "bulklane.items": sum(claim.items for claim in claims),
    }
    return traces.batch_span(
        "job.chunks", [claim.trace for claim in claims], attributes, "consumer", calls=False
    )


def record_small_jobs(done: Sequence[Done], ends: Sequence[End], batch: TraceSpan, *, began_at: int) -> None:
    """Record the span of each small job that a batch has applied, in the trace of the job.

    `began_at`: nanoseconds since 1970.
    """
    if batch.place is None:
        return
    states = {end.job_id: end.state for end in ends}
    for chunk in done:
        claim = chunk.claim
        attributes = _of_chunk(claim) | _words(chunk.results.counts(claim.items))
        if claim.job_id in states:
            attributes["bulklane.job.state"] = states[claim.job_id]
        with traces.job_span_of_batch("job.chunk", claim.trace, attributes, batch, began_at=began_at):
            pass


def note_outcomes(counts: Mapping[Outcome, int]) -> None:
    """Add to the present span, which is that of a chunk, how many of its items have each outcome."""
    if traces.are_on():
        traces.present().set(_words(counts))


def note_end(state: str) -> None:
    """Add to the present span, which is that of a finish or a dry run, how its job has ended."""
    traces.present().set({"bulklane.job.state": state})


def _words(counts: Mapping[Outcome, int]) -> Noted:
    return {f"bulklane.items.{outcome.word}": count for outcome, count in counts.items()}


def _of_chunk(claim: Claim) -> Noted:
    waited = {} if claim.waited is None else {"bulklane.queue_wait_seconds": claim.waited}
    return (
        _of_job(claim)
        | waited
        | {
            "bulklane.chunk.first_index": claim.first_index,
            "bulklane.chunk.items": claim.items,
            "bulklane.chunk.deaths": claim.deaths,
        }
    )


def _of_job(job: TracedJob) -> Noted:
    return {**_of_ids(job.account_id, job.job_id), "bulklane.operation": str(job.operation)}


@lru_cache(maxsize=KEPT_JOBS)
def _of_ids(account_id: AccountId, job_id: JobId) -> Mapping[str, str]:
    return {"bulklane.account": show_account_id(account_id), "bulklane.job": show_job_id(job_id)}
