"""A small supply chain on this machine: a devnet, five companies' gateways, and one pack's journey through them."""
