"""/operator/v1: what the operator sees and changes, with OPERATOR_KEY."""
