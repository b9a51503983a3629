"""Events: what must reach the peer, and what the peer made us promise, kept until it is done."""
