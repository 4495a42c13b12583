"""Test storage against a real PostgreSQL: the schema, its migrations, the columns of a contact."""
