"""Access to PostgreSQL: connections, named queries, transactions, errors."""
