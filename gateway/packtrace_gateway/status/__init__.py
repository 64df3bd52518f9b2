"""Changing the status of packs on chain: dispense, destroy, sample, report; and taking a dispense back."""
