"""The report of measured recovery times at the end of a run."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests have measured, the longest first."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    times = sorted(
        {
            str(value)
            for report in reports
            if isinstance(report, pytest.TestReport)
            for name, value in report.user_properties
            if name == "recovery"
        },
        reverse=True,
    )
    if times:
        terminalreporter.section("work continued after a fault in")
        for line in times:
            terminalreporter.write_line(line)
