"""Accepting bulk requests: formats, refusals, limits, idempotency."""
