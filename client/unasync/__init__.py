"""Make the synchronous client of the asynchronous one, so that each mechanism is written once."""
