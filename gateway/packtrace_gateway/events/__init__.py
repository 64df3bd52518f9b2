"""The event store: own and received events, their items, and where every item is."""
