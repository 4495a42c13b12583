"""Tests of jobs over HTTP: state, errors, results, cancel, retry, waiting."""
