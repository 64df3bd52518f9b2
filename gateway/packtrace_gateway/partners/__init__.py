"""Trading partners: which party stands behind a GLN."""
