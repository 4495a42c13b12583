"""Types and rules without I/O: settings, states, errors, wire models, decoders, phone numbers."""
