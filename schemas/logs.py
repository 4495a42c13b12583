"""Configure structlog and the standard library's logging: lines for a terminal, or JSON."""

import logging
import re
import sys

import structlog

from schemas.settings import Settings

# Values of rows in the messages of PostgreSQL and of its driver.
VALUES = re.compile(
    r"^\s*DETAIL:.*\n?|(?<=invalid input for query argument )(\$\d+).*|"
    r"(?<=invalid input syntax for type )(\w+):.*",
    re.MULTILINE,
)


def configure(settings: Settings) -> None:
    """Send every log line of the process to standard error, in the format of the settings."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
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
            structlog.processors.format_exc_info,
            _hide_values,
            renderer,
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
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


def _add_fields(
    _: structlog.types.WrappedLogger, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Add what a call of the standard library's logging passed as `extra={"fields": {...}}`."""
    event.update(getattr(event["_record"], "fields", {}))
    return event


def _hide_values(
    _: structlog.types.WrappedLogger, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Remove the values of rows, such as phone numbers, from the message and the traceback of a line.

    Tracebacks have no local variables: those would be keys and contacts.
    """
    for name in ("event", "exception"):
        if isinstance(text := event.get(name), str):
            event[name] = VALUES.sub(lambda found: found[1] or found[2] or "", text)
    return event
