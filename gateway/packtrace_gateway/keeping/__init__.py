"""Keeping what must not be lost: backup, restoring, and what a restored gateway has to find out first."""
