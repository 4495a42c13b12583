"""Tests of the HTTP API, which is served in the test's event loop."""
