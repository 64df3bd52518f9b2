"""The way to the chain: calls are queued with the data that they are about, signed, sent, and followed to finality."""
