"""Keep the values of contacts out of the log: errors repeat them in their texts.

An error of PostgreSQL, of a server or of the network keeps its text, without the values of rows in it.
An error of Python's that repeats what it was given, such as ValueError, loses its text: the type and the
place are enough to find it. Tracebacks have no local variables: those would be keys and contacts.
"""

import logging
import re
import traceback

# Values of rows in the messages of PostgreSQL and of its driver.
VALUES = re.compile(
    r"^\s*DETAIL:.*\n?|(?<=invalid input for query argument )(\$\d+).*|"
    r"(?<=invalid input syntax for type )(\w+):.*",
    re.MULTILINE,
)
# A value at the end of a message, as in `date/time field value out of range: "1990-13-45"`.
QUOTED = re.compile(r'(?<=: )".*"', re.DOTALL)
REPEATING = (ValueError, LookupError, TypeError, AssertionError)
DRIVER = "asyncpg"  # some of its errors are ValueErrors, and say what to do


class HideInArguments(logging.Filter):
    """Hides values in the errors that are arguments of a line, before it is made."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace each error by its text without values. Keeps every line."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                text_of(argument) if isinstance(argument, BaseException) else argument
                for argument in record.args
            )
        return True


def text_of(error: BaseException) -> str:
    """Return the text of an error without values; its type, if the text may be nothing else."""
    return _message_of(error) or type(error).__name__


def hide_in_text(text: str) -> str:
    """Return a text without the values that PostgreSQL and its driver name in theirs."""
    return VALUES.sub(lambda found: found[1] or found[2] or "", text)


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error, and of those that it comes from, without values."""
    found = traceback.TracebackException.from_exception(error)
    waiting = [(found, error)]
    while waiting:
        shown, of = waiting.pop()
        shown._str = _message_of(of)  # type: ignore[attr-defined]  # there is no other way to change it
        for cause, origin in ((shown.__cause__, of.__cause__), (shown.__context__, of.__context__)):
            if cause is not None and origin is not None:
                waiting.append((cause, origin))
    return "".join(found.format()).rstrip("\n")


def _message_of(error: BaseException) -> str:
    if isinstance(error, REPEATING) and not type(error).__module__.startswith(DRIVER):
        return ""
    return QUOTED.sub("…", hide_in_text(str(error)))
