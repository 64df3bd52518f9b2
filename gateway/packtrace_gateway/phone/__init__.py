"""The phone page (`scanner/web/`) as this gateway serves it, and what it asks the gateway beside verdicts."""
