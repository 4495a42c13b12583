"""Single contacts over REST."""
