"""Tests that break real processes: one file for each kind of fault, with the invariants that it checks."""
