"""The whole service on one machine: PostgreSQL and Valkey from wheels, and the process that runs them."""
