"""Why the supervisor does not start."""


class SupervisorError(Exception):
    """Nothing was started, or everything was stopped again; the message says what to do."""
