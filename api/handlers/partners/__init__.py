"""The bulk endpoints of the four partners' APIs, one module per partner."""
