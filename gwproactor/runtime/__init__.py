"""The event loop's side of a node: the object that runs links, events and handlers together."""
