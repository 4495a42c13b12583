"""Tests of the promises, against `bulklane serve` as a user starts it."""
