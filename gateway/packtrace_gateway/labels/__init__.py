"""Labels: GS1 DataMatrix and GS1 Digital Link QR for packs, GS1-128 for cases and pallets, as PNG and SVG."""
