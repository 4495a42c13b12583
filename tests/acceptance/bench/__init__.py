"""The benchmarks run through at a tiny size, and the documentation quotes their results."""
