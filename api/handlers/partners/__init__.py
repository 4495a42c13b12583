"""The bulk endpoints of four partners' APIs, one module a partner."""
