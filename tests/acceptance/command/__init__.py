"""The command `bulklane` of users, against a real service."""
