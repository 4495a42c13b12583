"""What clients do to jobs: over the API and on the pages."""
