"""The handlers of the endpoints, one module per noun."""
