"""API keys: what they may do, when they end, when they were used."""
