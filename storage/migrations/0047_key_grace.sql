-- Until when a key works that was replaced, apart from its own end, which the key that replaces it inherits.
ALTER TABLE api_keys ADD grace_until timestamptz;
