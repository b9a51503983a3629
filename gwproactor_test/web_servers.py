"""For tests of web servers: servers with notes, real clients, and clients that do not behave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import psutil
from aiohttp import web

from gwproactor.web.servers import WebServers
from gwproactor_test.certificates import Certificates

NAME = "w"
"""Of the server that there is, unless a test asks for none."""

STOP_SECONDS = 0.6
"""How long a stop takes at most."""


class Servers:
    """Web servers with notes of what they report; not started yet.

    Args:
        options: Those of `Proactor.add_web_server_config`; `configured=False` for no server.
    """

    def __init__(self, **options: Any) -> None:
        self.reports: list[tuple[str, str]] = []
        self.web = WebServers(
            lambda *report: self.reports.append(report), stop_seconds=STOP_SECONDS
        )
        if options.pop("configured", True):
            host, port = options.pop("host", "127.0.0.1"), options.pop("port", 0)
            self.web.add_config(NAME, host, port, **options)

    def route(self, path: str, handler: Any, method: str = "GET", **options: Any) -> None:
        """Add a route to the server."""
        self.web.add_route(NAME, method, path, handler, **options)

    def url(self, path: str = "/") -> str:
        """Where a path of the server is reached."""
        return self.web.url(NAME) + path

    @property
    def port(self) -> int:
        """The port of the server."""
        return self.web.port(NAME)

    def summaries(self) -> list[str]:
        """What was reported, in a line each."""
        return [summary for summary, _ in self.reports]


@contextlib.asynccontextmanager
async def running(servers: Servers) -> AsyncIterator[aiohttp.ClientSession]:
    """Run the servers, and a client that can ask them."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as client:
        await servers.web.bind()
        try:
            await servers.web.serve()
            yield client
        finally:
            await servers.web.stop()


async def connect(
    servers: Servers, host: str = "127.0.0.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare connection, for clients that do not behave."""
    return await asyncio.open_connection(host, servers.port)


async def greet(request: web.Request) -> web.Response:
    """Greet who is named in the path, or everybody."""
    return web.Response(text=f"hello {request.match_info.get('name', 'all')}")


async def read_body(request: web.Request) -> web.Response:
    """Answer with the length of the body."""
    return web.Response(text=str(len(await request.read())))


def connections_of_this_process() -> int:
    """Ends of TCP connections that it holds."""
    return sum(bool(each.raddr) for each in psutil.Process().net_connections("tcp"))


class Waiting:
    """A handler that tells when it is asked, and answers when it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.cancelled = 0

    async def __call__(self, _request: web.Request) -> web.Response:
        """Answer when it may."""
        self.asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return web.Response(text="late")


def https(certificates: Certificates, **options: Any) -> Servers:
    """A server that speaks TLS, on localhost."""
    context = certificates.server_context(certificates.server)
    return Servers(host="localhost", ssl_context=context, **options)
