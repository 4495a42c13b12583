"""The asynchronous client. The synchronous one is made of it: see `client/unasync`."""
