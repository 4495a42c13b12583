"""Tests of what all routes share: keys, tenants, limits, errors, the OpenAPI document."""
