"""Break what Bulklane stands on: PostgreSQL, Valkey, the connections to them, the clock."""
