"""Tests of accepting bulk requests: formats, refusals, limits, idempotency."""
