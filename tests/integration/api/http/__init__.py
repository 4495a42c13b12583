"""Tests of what all routes share: tenants, limits, errors, the OpenAPI document."""
