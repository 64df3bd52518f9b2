"""Products: the secret behind a GTIN's keys on chain."""
