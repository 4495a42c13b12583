"""Tests of the endpoints of lists, labels, teams, channels, audiences and properties."""
