"""Verifying a pack: its pedigree from here (or its maker's answer), the chain's facts, the verdict."""
