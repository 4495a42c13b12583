"""Tests: `unit` without servers, `integration` with them, `acceptance` of it all, `house` of the source."""
