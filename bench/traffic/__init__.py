"""Benchmarks of small jobs: latency, jobs per second, fairness, idle processes."""
