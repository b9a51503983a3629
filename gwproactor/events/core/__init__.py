"""Decides about events, and does nothing: no clock, no file, no loop."""
