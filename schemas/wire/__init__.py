"""The pydantic models of the HTTP API: queries, bodies without their items, and responses."""
