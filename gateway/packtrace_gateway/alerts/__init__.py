"""Alerts: every Conflict and every proven duplicate that concerns this party opens one; people work it and close it."""
