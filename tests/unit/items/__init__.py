"""Tests of the items of bulk requests: fields, phones, references, properties."""
