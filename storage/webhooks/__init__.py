"""Webhooks: the endpoints of accounts, and the deliveries to them."""
