"""Configure structlog and the standard library's logging: lines for a terminal, or JSON.

A line has the time, the level and the logger, and where they are known the request id, the account, the job,
the worker and the trace. It has no value of a contact: see `schemas.log_values`.
"""

import logging
import sys
from contextlib import AbstractContextManager

import structlog

from schemas.ids import AccountId, JobId, show_account_id, show_job_id
from schemas.log_values import HideInArguments, hide_in_text, traceback_text
from schemas.settings import Settings
from schemas.traces import present

# What every line of this process has: the worker.
_process: dict[str, str] = {}


def configure(settings: Settings) -> None:
    """Send every log line of the process to standard error, in the format of the settings."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, _add_fields],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(lambda exc_info: traceback_text(exc_info[1])),
            _hide_values,
            renderer,
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(HideInArguments())
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    logging.getLogger("arq").setLevel(logging.WARNING)  # arq logs a line for every bell
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def name_worker(worker_id: object) -> None:
    """Put the id of the worker, as the operator sees it, into every line of this process from now on."""
    _process["worker"] = str(worker_id)


def about_job(account_id: AccountId, job_id: JobId) -> AbstractContextManager[None]:
    """Put the account and the job into every line that is logged while the body runs."""
    return structlog.contextvars.bound_contextvars(
        account=show_account_id(account_id), job=show_job_id(job_id)
    )


def _add_trace(
    _: structlog.types.WrappedLogger, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Add the id of the trace, if traces are on and the line is about work of one."""
    if (place := present().place) is not None:
        event["trace_id"] = place.shown_trace
    return event


def _add_fields(
    _: structlog.types.WrappedLogger, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Add the worker, and what a call of the standard library passed as `extra={"fields": {...}}`."""
    event.update(_process)
    event.update(getattr(event["_record"], "fields", {}))
    return event


def _hide_values(
    _: structlog.types.WrappedLogger, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Remove values from a message that was made of the text of an error."""
    if isinstance(text := event.get("event"), str):
        event["event"] = hide_in_text(text)
    return event
