"""What the operator does and sees: over the API and on the pages."""
