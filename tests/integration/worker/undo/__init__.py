"""Undo: what workers give back of random jobs, and what they keep."""
