"""The pages at /operator, for the person who runs the service."""
