"""What became of the items of a job: as files, as corrections to send back, as the body of a retry."""
