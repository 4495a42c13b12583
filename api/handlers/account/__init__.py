"""/v1: what concerns the account of the key: itself, its limits, its keys."""
