"""The sliding windows of an account, and what they admitted: grants of items, admissions of requests."""
