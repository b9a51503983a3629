"""HTTP: the web servers of a node, and the servers that it polls. aiohttp, an extra, does the work.

Only the modules whose names begin with `aiohttp_` import aiohttp, and they are imported when a
server is configured or a poll begins, so that a node without either does not need it.
"""
