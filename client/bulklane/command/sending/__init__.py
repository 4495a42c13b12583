"""Send files, and go on with what was interrupted."""
