"""Events and the ids seen, in append-only logs of readable lines."""
