"""Calls that the marketing authorisation holder and the regulator sign together: lifting, and undoing a call."""
