"""Tests of the formats, as one package so that they can share `feeding`."""
