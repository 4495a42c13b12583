"""Test storage against a real PostgreSQL."""
