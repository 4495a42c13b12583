"""Webhooks without I/O: their events, URLs and addresses, signatures, and what follows an attempt."""
