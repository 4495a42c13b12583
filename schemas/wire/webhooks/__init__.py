"""The models of webhooks: of the API, and of the messages that are sent."""
