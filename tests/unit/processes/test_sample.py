"""What the sample shows of the items that were not applied."""

import io

from rich.console import Console

from embedded.supervisor.sample import MESSAGE_COLUMN, _show_errors

MESSAGE = "The number has too few digits for country code +49; include its area code, as in +49 30 123456."


def test_a_message_is_whole_and_uses_the_width_of_a_narrow_terminal() -> None:
    written = io.StringIO()
    error = {"index": 17, "code": "phone_too_short", "field": "phone", "value": "1" * 200, "message": MESSAGE}
    _show_errors(Console(file=written, width=80), [error, error | {"field": None, "value": None}])
    _, head, *lines = written.getvalue().splitlines()
    assert head.startswith("    17  phone_too_short  phone: 1111")
    assert max(map(len, [head, *lines])) <= 80
    message = lines[:2]
    assert " ".join(line.strip() for line in message) == MESSAGE
    assert all(line.startswith(" " * MESSAGE_COLUMN) for line in message)
