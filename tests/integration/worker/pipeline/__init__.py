"""The path of a job in the worker, step by step."""
