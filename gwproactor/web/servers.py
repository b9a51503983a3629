"""The web servers of a node: collected before the start, then started and stopped together.

Routes and servers may be added in any order, and a route for a server that nobody configures is
ignored, but for a line in the log: so a part of the application can always offer its routes, and
the installation decides whether there is a server.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from gwproactor.errors import NotRunningError, UsageError
from gwproactor.extras import need_package
from gwproactor.interfaces import WebHandler
from gwproactor.web.routes import WebRoute, WebRoutes
from gwproactor.web.server_config import WebServerConfig

if TYPE_CHECKING:
    from gwproactor.web.aiohttp_server import AiohttpServer


class WebServers:
    """Every web server of one proactor. For the event loop's thread.

    Args:
        report: Called with summary and details when something is wrong.
        stop_seconds: How long a stop waits for handlers and clients.
        guard: Entered around each call of a handler, with what it is called.
    """

    def __init__(
        self,
        report: Callable[[str, str], None],
        *,
        stop_seconds: float,
        guard: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._report = report
        self._guard = guard
        self._stop_seconds = stop_seconds
        self._configs: dict[str, WebServerConfig] = {}
        self._routes: dict[str, WebRoutes] = {}
        self._running: dict[str, AiohttpServer] = {}
        self._started = False

    def add_config(self, name: str, host: str, port: int, **options: object) -> None:
        """Add a server; see `Proactor.add_web_server_config`."""
        config = WebServerConfig.of(name, host, port, options)
        self._require_not_started(f"web server '{name}'")
        if name in self._configs:
            raise UsageError(f"there is a web server '{name}' already; use another name")
        for other in self._configs.values():
            if config.port and (other.host, other.port) == (config.host, config.port):
                raise UsageError(
                    f"web server '{name}': port {port} of {host} is that of web server"
                    f" '{other.name}'; use another port, or 0 for any free one"
                )
        need_package("aiohttp", f"web server '{name}'")
        for route in self._routes.get(name, ()):
            _check_path(route)
        self._configs[name] = config

    def add_route(
        self, server_name: str, method: str, path: str, handler: WebHandler, **options: object
    ) -> None:
        """Add a route; see `Proactor.add_web_route`."""
        route = WebRoute.of(method, path, handler, options)
        self._require_not_started(f"web route {route}")
        if server_name in self._configs:
            _check_path(route)
        self._routes.setdefault(server_name, WebRoutes()).add(server_name, route)

    async def bind(self) -> None:
        """Take the addresses of all servers, or of none. Cancelling is safe.

        Raises:
            ListenError: One cannot listen; PortTakenError where another program does.
        """
        self._started = True
        try:
            for name, config in self._configs.items():
                if config.enabled:
                    await self._bind(config, self._routes.get(name, WebRoutes()))
        except BaseException:
            await self.stop()
            raise

    async def _bind(self, config: WebServerConfig, routes: WebRoutes) -> None:
        from gwproactor.web.aiohttp_server import AiohttpServer

        server = AiohttpServer(
            config, routes, self._report, stop_seconds=self._stop_seconds, guard=self._guard
        )
        await server.bind()
        self._running[config.name] = server

    async def serve(self) -> None:
        """Answer requests from now on; those that came since `bind` wait."""
        for server in self._running.values():
            await server.serve()

    def said(self) -> Iterator[str]:
        """Where each server listens, and what is not served; a line each, for the log."""
        for name, server in self._running.items():
            yield f"web server '{name}' listens on {server.url}"
        for name, routes in self._routes.items():
            if name not in self._running:
                why = "not enabled" if name in self._configs else "not configured"
                paths = ", ".join(sorted({route.path for route in routes}))
                yield f"web server '{name}' is {why}; its routes are not served: {paths}"

    async def stop(self) -> None:
        """Stop them all, within `stop_seconds`; a second call does nothing.

        What is asked already is answered, if its handler comes to an end in time.
        """
        running, self._running = self._running, {}
        for server in running.values():
            server.close()
        try:
            await asyncio.gather(*(server.stop() for server in running.values()))
        finally:
            for server in running.values():
                server.break_off()  # nothing to do, unless this was cancelled

    def port(self, name: str) -> int:
        """The port of a server; see `Proactor.web_server_port`."""
        return self._server(name).port

    def url(self, name: str) -> str:
        """Where a server is reached; see `Proactor.web_server_url`."""
        return self._server(name).url

    def _server(self, name: str) -> "AiohttpServer":
        if name not in self._configs:
            known = ", ".join(sorted(self._configs)) or "none"
            raise UsageError(f"there is no web server '{name}'; web servers: {known}")
        if name not in self._running:
            raise NotRunningError(
                f"web server '{name}' does not run: it runs from the proactor's start to its stop"
            )
        return self._running[name]

    def _require_not_started(self, what: str) -> None:
        if self._started:
            raise UsageError(f"{what}: add it before the proactor starts")


def _check_path(route: WebRoute) -> None:
    """Refuse a path that aiohttp cannot read."""
    from gwproactor.web.aiohttp_server import check_path

    check_path(route)
