"""Who makes a request, and how the use of keys is recorded."""
