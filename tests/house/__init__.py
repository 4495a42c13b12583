"""Tests of the source code: files, folders, imports, layers and names."""
