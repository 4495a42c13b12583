"""The OpenAPI document: built from the table of routes and from what is declared beside each handler."""
