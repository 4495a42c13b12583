"""Tests of the client without a service."""
