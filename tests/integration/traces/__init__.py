"""Tests of traces: from a request to the webhook, in one process and in several."""
