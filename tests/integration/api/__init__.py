"""The HTTP API, served for real in the loop of the test."""
