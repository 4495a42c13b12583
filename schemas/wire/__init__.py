"""The models of the HTTP API: what clients send beside the items, and what they read."""
