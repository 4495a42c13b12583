"""Turn a bulk request into an accepted job."""
