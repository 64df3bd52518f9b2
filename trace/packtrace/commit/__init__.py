"""Commitments: from an event's items and fields to one digest, and back to parts that prove themselves."""
