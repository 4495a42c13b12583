"""Files as people have them: what the programs that people use write, and what the service reads from it."""
