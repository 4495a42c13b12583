"""Each operation: what it does to stored rows."""
