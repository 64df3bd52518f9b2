"""Capture: EPCIS documents in, validated, committed, stored, and their calls to the chain queued."""
