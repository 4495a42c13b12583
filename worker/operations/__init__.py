"""What is done to items: one module an operation family."""
