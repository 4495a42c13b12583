"""Tests: `unit` without servers, `integration` with servers, `acceptance` of the service, `house` of code."""
