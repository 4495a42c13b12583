"""Tests of the structure: files, folders, imports, walls and names, as the source shows them."""
