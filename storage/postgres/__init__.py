"""How PostgreSQL is reached: connections, named queries, transactions, errors."""
