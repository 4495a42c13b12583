"""What a page shows of a job besides the job itself."""
