"""Tests of settle: what chunks applied out of order is corrected, and what a client changed since stays."""
