"""Undo: jobs are undone, what others have changed since is kept, and what cannot be undone is told."""
