"""Before-images: what jobs and single requests changed of contacts."""
