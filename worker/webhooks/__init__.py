"""Webhooks: messages about the ends of jobs, sent beside the work on jobs and in no slot of it."""
