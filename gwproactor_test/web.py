"""A small HTTP server for tests of what asks one: it answers as the test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from gwproactor.web.servers import WebServers

_NAME = "answering"


@dataclass
class AnsweringServer:
    """A running server.

    Args:
        url: Where it is, without a path.
        requests: Method and path with query of what it was asked, in order.
    """

    url: str = ""
    requests: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def answering(
    handler: Callable[[Any], Awaitable[Any]], **options: Any
) -> AsyncIterator[AnsweringServer]:
    """Run a server on loopback whose every path is answered by `handler`.

    Args:
        handler: Is given an `aiohttp.web.Request` and returns an `aiohttp.web.StreamResponse`.
        options: Those of `Proactor.add_web_server_config`.

    Raises:
        AssertionError: The handler failed; the exception is in its words.
    """
    server, problems = AnsweringServer(), list[str]()

    async def noting(request: Any) -> Any:
        server.requests.append(f"{request.method} {request.path_qs}")
        return await handler(request)

    servers = WebServers(lambda *problem: problems.append(": ".join(problem)), stop_seconds=0.3)
    servers.add_config(_NAME, options.pop("host", "127.0.0.1"), options.pop("port", 0), **options)
    servers.add_route(_NAME, "*", "/{path:.*}", noting)
    await servers.bind()
    try:
        await servers.serve()
        server.url = servers.url(_NAME)
        yield server
    finally:
        await asyncio.shield(servers.stop())
    assert problems == []
