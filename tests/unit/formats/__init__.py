"""Tests of the formats. They are one package, so that they can share `feeding`."""
