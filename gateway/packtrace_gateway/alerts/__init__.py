"""Alerts: every Conflict, proven duplicate and undone call that concerns this party opens one; people close it."""
