"""The operator's API: who may call it, what it shows and changes."""
