"""Tests of retries: what they send, and what they meet."""
