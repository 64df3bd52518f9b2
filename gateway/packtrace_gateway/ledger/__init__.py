"""What the contracts' events say, kept in the gateway's own database: so that questions about history need no node."""
