"""Tests of the worker: the pipeline of a job, its operations, and how it is controlled."""
