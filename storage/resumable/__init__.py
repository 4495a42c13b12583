"""Resumable uploads: bulk requests whose bytes arrive in several requests."""
