"""HTTP: the web servers of a node, and the servers that it polls. aiohttp, an extra, does the work.

Only the modules whose names begin with `aiohttp_` import aiohttp, and they are imported when a
server is configured or a poll begins, so that a node without either does not need it.
"""

from gwproactor.web.rest_actor import RESTPollerActor
from gwproactor.web.rest_poller import RESTPoller
from gwproactor.web.rest_response import RESTResponse
from gwproactor.web.rest_settings import (
    AioHttpClientTimeout,
    ErrorResponse,
    ErrorResponses,
    RequestArgs,
    RESTPollerSettings,
    SessionArgs,
)
from gwproactor.web.rest_urls import URLArgs, URLConfig
from gwproactor.web.server_config import WebServerConfig

__all__ = [
    "AioHttpClientTimeout",
    "ErrorResponse",
    "ErrorResponses",
    "RESTPoller",
    "RESTPollerActor",
    "RESTPollerSettings",
    "RESTResponse",
    "RequestArgs",
    "SessionArgs",
    "URLArgs",
    "URLConfig",
    "WebServerConfig",
]
