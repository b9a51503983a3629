"""One node that anyone can run, pipe into and kill: lines of JSON in, lines of JSON out.

Whatever it does, an importing program can do with the same public calls.
"""
