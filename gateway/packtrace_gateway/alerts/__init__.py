"""Alerts: every Conflict on chain that concerns this party opens one; people comment on it and close it."""
