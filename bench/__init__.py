"""Benchmarks for the performance claims of the README, one command each."""
