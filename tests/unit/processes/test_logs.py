"""No secret is in a log line, a traceback or the repr of an object."""

import io
import logging
from collections.abc import Callable, Iterator

import asyncpg
import pytest

from embedded.supervisor.dev_file import DevFile
from schemas.logs import configure
from schemas.settings import Settings

KEY = "bl_1_a-key-in-a-local-variable"
PHONE = "+14155550100"
PASSWORD = "a-password"


@pytest.fixture(params=["console", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Configure logging in both formats; the fixture returns what was logged."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure(Settings(log_format=request.param))
    stream = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream.getvalue
    root.handlers, root.level = handlers, level


def test_a_traceback_has_no_local_variables(log: Callable[[], str]) -> None:
    def fail(key: str) -> None:
        assert key
        raise RuntimeError("of ours")

    try:
        fail(KEY)
    except RuntimeError:
        logging.getLogger("api").exception("unexpected error")
    assert "RuntimeError: of ours" in log()
    assert "in fail" in log()
    assert log().count("Traceback") == 1
    assert KEY not in log()


@pytest.mark.parametrize(
    "message",
    [
        f"duplicate key violates a constraint\nDETAIL:  Key (account_id, phone)=(1, {PHONE}) exists.",
        f"invalid input for query argument $3: '{PHONE}' (an integer is required)",
        f'invalid input syntax for type json: "{PHONE}"',
        f'date/time field value out of range: "{PHONE}"',
    ],
)
def test_values_of_rows_are_not_logged(log: Callable[[], str], message: str) -> None:
    error = asyncpg.PostgresError(message)
    try:
        raise error
    except asyncpg.PostgresError:
        logging.getLogger("worker").warning("rejected: %s", error, exc_info=True)
    assert message[:20] in log()
    assert PHONE not in log()


def test_fields_of_a_line_are_shown(log: Callable[[], str]) -> None:
    logging.getLogger("api").info("request", extra={"fields": {"status": 202, "account": "org_1"}})
    text = log().replace('"', "").replace(": ", "=")
    assert "status=202" in text
    assert "account=org_1" in text
    assert "_record" not in text


def test_settings_do_not_show_urls_with_passwords() -> None:
    settings = Settings(
        database_url=f"postgresql://user:{PASSWORD}@host/db", redis_url=f"redis://:{PASSWORD}@host"
    )
    assert PASSWORD not in repr(settings) + str(settings)


def test_the_dev_file_does_not_show_its_secrets() -> None:
    url = f"postgresql://user:{PASSWORD}@host/db"
    file = DevFile(url="http://x", api_key=KEY, operator_key=KEY, database_url=url, redis_url=url, pids={})
    assert KEY not in repr(file)
    assert PASSWORD not in repr(file)


@pytest.mark.parametrize("kind", [ValueError, KeyError, TypeError, UnicodeError])
def test_an_error_that_repeats_what_it_was_given_loses_its_text(
    log: Callable[[], str], kind: type[Exception]
) -> None:
    try:
        try:
            raise kind(f"not a number: {PHONE}")
        except kind as error:
            raise RuntimeError("of ours") from error
    except RuntimeError as error:
        logging.getLogger("api").error("it failed: %s", error.__cause__, exc_info=True)
    assert f"it failed: {kind.__name__}" in log()
    assert "RuntimeError: of ours" in log()
    assert "The above exception was the direct cause" in log()
    assert PHONE not in log()
