"""Tests of API keys: their headers, scopes and ends, and what is recorded of their callers."""
