"""What workers do to items: one module an operation family, each with its entries in OPERATIONS."""
