"""What is done to jobs, resources, keys and webhooks: over the API and on the pages."""
