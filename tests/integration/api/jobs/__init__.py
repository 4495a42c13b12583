"""Jobs over HTTP: state, errors, results, cancel, retry, waiting."""
