"""What the benchmarks share: the service, its clients, the plain reference, the results."""
