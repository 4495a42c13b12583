"""Bad bodies and bad clients against the real api process."""
