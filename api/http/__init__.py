"""Shared by all handlers: context, validation, paging, waiting, the breaker, views."""
