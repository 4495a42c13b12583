"""How others see a worker: its signs of life in PostgreSQL, its metrics for Prometheus."""
