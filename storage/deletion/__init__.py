"""What is deleted for good: accounts with all that they own."""
