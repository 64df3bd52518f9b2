"""API keys: who may call this gateway, and in which roles."""
