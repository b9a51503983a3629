"""Actors: parts of an application with a name and a mailbox, async or in a thread of their own."""
