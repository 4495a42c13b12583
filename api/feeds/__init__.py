"""Streams of events: one reader for each account that is followed, and the connections of its followers."""
