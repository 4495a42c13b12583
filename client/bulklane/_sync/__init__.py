"""The synchronous client, made of the asynchronous one: change that, then run `./run client`."""
