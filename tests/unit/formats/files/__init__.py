"""Tests of files that are no text."""
