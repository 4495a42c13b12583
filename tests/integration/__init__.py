"""Tests with a real PostgreSQL and a real Valkey; packages, so that `api` here is not the package `api`."""
