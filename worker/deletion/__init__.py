"""The work of workers for what is deleted for good."""
