"""Tests of the endpoints of single contacts."""
