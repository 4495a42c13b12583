"""Unit tests of what concerns processes: logs, start, restart, failpoints."""
