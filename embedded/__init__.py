"""The whole service on one machine: PostgreSQL and Valkey from wheels, and a supervisor of all processes."""
