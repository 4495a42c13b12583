"""The results of a job: as files, as corrections to send back, as the items of a retry."""
