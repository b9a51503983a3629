"""The reference's persisters: a file an event, and any persister of one's own, as a store."""
