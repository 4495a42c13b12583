"""What the tests of faults share: a cluster of real processes, failpoints, clients, invariants."""
