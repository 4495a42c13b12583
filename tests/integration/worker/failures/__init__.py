"""Errors of ours, dead and stopped processes, clock steps: what delays a job, what counts, what ends it."""
