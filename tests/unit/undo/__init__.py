"""Undo: what a field gets back, and what is kept."""
