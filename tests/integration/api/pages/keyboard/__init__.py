"""The pages used with the keyboard alone."""
