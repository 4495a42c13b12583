"""What holds for every route: keys, tenants, limits, errors, the OpenAPI document."""
