"""What a monitoring system reads: figures about the way to the chain, the exchange, the requests. No serial numbers."""
