"""Undo: which values the contacts of a job get back, decided by pure functions."""
