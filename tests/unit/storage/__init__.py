"""Tests of the parts of storage that need no server."""
