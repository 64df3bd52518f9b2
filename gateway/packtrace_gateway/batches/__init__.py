"""Commissioned batches: release by a qualified person, withdrawal, recall."""
