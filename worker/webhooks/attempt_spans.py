"""The span of an attempt to deliver to a webhook, in the trace of the job whose end it tells."""

from urllib.parse import urlsplit

from schemas import traces
from schemas.ids import show_account_id, show_job_id
from schemas.traces import TraceSpan
from schemas.webhooks.verdicts import Answer
from storage.webhooks.sending import LeasedDelivery


def span_of_attempt(delivery: LeasedDelivery, trace: str | None) -> TraceSpan:
    """Return the span of an attempt. It names the host of the endpoint; its URL may have a secret."""
    if not traces.are_on() or delivery.job_id is None:
        return traces.NO_SPAN
    attributes: dict[str, str | int | float | bool] = {
        "http.request.method": "POST",
        "http.request.resend_count": delivery.tries,
        "server.address": urlsplit(delivery.url).hostname or "",
        "bulklane.account": show_account_id(delivery.account_id),
        "bulklane.job": show_job_id(delivery.job_id),
        "bulklane.webhook.event": delivery.event,
    }
    return traces.job_span("webhook.attempt", trace, attributes, "client")


def note_answer(span: TraceSpan, answer: Answer) -> None:
    """Add the status of the answer. An answer that is no success, or none, fails the span."""
    if answer.status is not None:
        span.set({"http.response.status_code": answer.status})
    if answer.status is None or not 200 <= answer.status < 300:
        span.fail("no answer" if answer.status is None else str(answer.status))
