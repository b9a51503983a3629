"""Settings: what a program may choose, checked before anything starts."""
