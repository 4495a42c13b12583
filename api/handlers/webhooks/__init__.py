"""/v1/webhooks: the endpoints that hear of jobs, and what was sent to them."""
