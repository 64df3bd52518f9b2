"""The exchange between gateways: pedigrees travel with the goods, and a pack's maker can be asked about it."""
