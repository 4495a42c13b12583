"""What all handlers share: context, validation, paging, waiting, limits, views."""
