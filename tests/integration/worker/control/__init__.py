"""Cancelled jobs and dry runs."""
