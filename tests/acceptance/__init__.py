"""Test the documented behaviour against `bulklane serve`, started as a user starts it."""
