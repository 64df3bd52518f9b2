"""Serial numbers: random, drawn in blocks by a line, unique per GTIN for ever."""
