"""What pages share: the templates, the assets and the session of a signed-in browser."""
