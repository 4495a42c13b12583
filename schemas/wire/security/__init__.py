"""Keys, and what was done with them."""
