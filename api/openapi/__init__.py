"""The OpenAPI document, built from the table of routes and the descriptions of the handlers."""
