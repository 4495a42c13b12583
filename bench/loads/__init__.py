"""Benchmarks of large jobs: rows per second, memory, more workers."""
