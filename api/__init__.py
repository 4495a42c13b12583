"""aiohttp and the command line: what a client and an operator touch."""
