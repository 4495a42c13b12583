"""Traces: records spans with OpenTelemetry, and sends them. Nothing else imports it."""
