"""Each rule of deploy/prometheus/alerts.yml fires by the fault that it is for."""
