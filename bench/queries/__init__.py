"""Benchmarks of single queries in a full database."""
