"""Claims of many accounts, jobs and streams at once, and what they read."""
