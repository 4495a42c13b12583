"""The operations on items: one module per operation family, each with its entries in OPERATIONS."""
