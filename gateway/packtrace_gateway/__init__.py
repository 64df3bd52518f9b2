"""The service that one company runs: capture, commit, sign, exchange, verify."""
