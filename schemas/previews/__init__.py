"""What a person sees of a file before it is sent: its kind, its first rows, and a field for each column."""
