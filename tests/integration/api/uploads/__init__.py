"""Tests of resumable uploads, over HTTP."""
