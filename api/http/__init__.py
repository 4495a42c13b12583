"""Shared by all handlers: context, validation, paging, waiting, views."""
