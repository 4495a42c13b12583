"""From a bulk request to an accepted job."""
