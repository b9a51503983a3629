"""One web server, run by aiohttp.

aiohttp parses and routes; what happens around a handler is ours. A handler that raises is reported,
and its client is told no more than "500"; connections are counted, and one too many is answered
with 503; a stop is over within its bound, whatever clients and handlers do.

A stop closes the listening sockets, lets handlers finish what they have, cancels those that do not
come to an end, and breaks off what a client does not read.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from aiohttp import WSMessageTypeError, web

from gwproactor.errors import UsageError
from gwproactor.links.core.reports import ReportRate
from gwproactor.texts import traceback_text
from gwproactor.web.aiohttp_bodies import expected_body
from gwproactor.web.aiohttp_websockets import WebSockets
from gwproactor.web.handshakes import Handshakes
from gwproactor.web.listening import listen
from gwproactor.web.refusals import Refusals
from gwproactor.web.routes import WebRoute
from gwproactor.web.server_config import WebServerConfig

logger = logging.getLogger(__name__)

LINGER_SECONDS = 1.0
"""How long a body that no handler wanted is read and thrown away, so that its client can still
read the answer."""


def check_path(route: WebRoute) -> None:
    """Refuse a path that aiohttp cannot read.

    Raises:
        UsageError: A brace is missing, or the name or expression of a variable is none.
    """
    try:
        web.UrlDispatcher().add_resource(route.path)
    except ValueError as error:
        raise UsageError(
            f"web route {route}: a brace is missing or one too many, or what stands in braces is"
            " no name of its own or no expression; example: /room/{name} or /room/{number:[0-9]+}"
        ) from error


class AiohttpServer:
    """One server. For the event loop's thread.

    Args:
        config: Where it listens, and its bounds.
        routes: What it answers.
        report: Called with summary and details when a handler fails, at a bounded rate.
        stop_seconds: How long a stop takes at most.
        guard: Entered around each call of a handler, with what it is called.
    """

    def __init__(
        self,
        config: WebServerConfig,
        routes: Iterable[WebRoute],
        report: Callable[[str, str], None],
        *,
        stop_seconds: float,
        guard: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._config = config
        self._guard = guard
        self._routes = list(routes)
        self._reports = _Reports(config.name, report)
        self._stop_seconds = stop_seconds
        self._listeners: list[asyncio.Server] = []
        self._runner: web.AppRunner | None = None
        self._refusals = Refusals(most=config.max_connections)
        self._websockets = WebSockets(close_seconds=stop_seconds / 3)
        tls = config.ssl_context
        self._handshakes = None if tls is None else Handshakes(tls, config.max_connections)
        self._handling: set[asyncio.Task[Any]] = set()
        self.port = 0
        """The port that it listens on; known after the start."""

    @property
    def url(self) -> str:
        """Where programs of this machine reach it, without a path."""
        scheme = "http" if self._config.ssl_context is None else "https"
        return f"{scheme}://{self._config.reachable_host}:{self.port}"

    async def bind(self) -> None:
        """Take the address, so that nothing can fail later. Cancelling is safe.

        Raises:
            ListenError: It cannot listen there.
        """
        async with contextlib.AsyncExitStack() as undo:
            sockets = await listen(self._config)
            for each in sockets:
                undo.callback(each.close)
            undo.push_async_callback(self.stop)
            self._runner = self._make_runner()
            await self._runner.setup()
            for each in sockets:
                self._listeners.append(await self._listener(each))
            undo.pop_all()
        self.port = sockets[0].getsockname()[1]

    async def _listener(self, bound: socket.socket) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            self._accepted,
            sock=bound,
            backlog=self._config.backlog,
            start_serving=False,
        )

    async def serve(self) -> None:
        """Answer requests from now on."""
        for listener in self._listeners:
            await listener.start_serving()

    def _make_runner(self) -> web.AppRunner:
        # In asyncio's debug mode aiohttp would show its clients tracebacks.
        quiet = {"debug": False}
        app = web.Application(client_max_size=self._config.max_body_bytes, handler_args=quiet)
        for route in self._routes:
            resource = app.router.add_resource(route.path, name=route.name)
            for method in route.methods:
                resource.add_route(method, self._guarded(route))
        self._websockets.look_after(app)
        return web.AppRunner(
            app,
            access_log=None,
            logger=self._reports,
            keepalive_timeout=self._config.idle_seconds,
            lingering_time=LINGER_SECONDS,
            # aiohttp waits so long for a handler, and as long again for its connection.
            shutdown_timeout=self._stop_seconds / 4,
        )

    def close(self) -> None:
        """Accept no more connections, nor go on with those that speak no HTTP yet."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._refusals.end()
        if self._handshakes is not None:
            self._handshakes.end()

    async def stop(self) -> None:
        """End every connection and handler, within `stop_seconds`. A second call does nothing.

        A handler that swallows its cancellation is reported and left behind: nothing can end it.
        """
        self.close()
        runner, transports = self._runner, self._transports()
        if runner is None:
            return
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._stop_seconds * 3 / 4):
                    await runner.cleanup()
        finally:
            for transport in transports:
                transport.abort()  # nothing where it is closed; a client that reads no more
            self.break_off()
        await self._handlers_ended()

    def break_off(self) -> None:
        """End everything at once, as far as that can be done without waiting."""
        self.close()
        for transport in self._transports():
            transport.abort()
        for task in self._handling:
            task.cancel()
        self._runner = None

    def _transports(self) -> list[asyncio.Transport]:
        """Those of the connections that there are."""
        server = None if self._runner is None else self._runner.server
        found = [] if server is None else [each.transport for each in server.connections]
        return [transport for transport in found if transport is not None]

    async def _handlers_ended(self) -> None:
        """Wait for those that were cancelled."""
        if self._handling:
            await asyncio.wait(self._handling, timeout=self._stop_seconds / 4)
        if self._handling:
            names = ", ".join(sorted(task.get_name() for task in self._handling))
            self._reports.report("a handler does not end; it swallows its cancellation", names)

    def _accepted(self) -> asyncio.Protocol:
        """What meets a new connection."""
        if self._handshakes is None or self._runner is None:
            return self._answering()
        return self._handshakes.protocol(self._answering)

    def _answering(self) -> asyncio.Protocol:
        """What answers on a new connection, when its handshake is over where it needs one."""
        server = None if self._runner is None else self._runner.server
        if server is None:
            return self._refusals.protocol()
        shaking_hands = 0 if self._handshakes is None else len(self._handshakes)
        if len(server.connections) + shaking_hands >= self._config.max_connections:
            details = f"{self._config.max_connections} are open; further ones are answered with 503"
            self._reports.report("it has all the connections that it may have", details)
            return self._refusals.protocol()
        return server()

    def _guarded(self, route: WebRoute) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The route's handler, with what happens around it."""

        async def handle(request: web.Request) -> web.StreamResponse:
            task = asyncio.current_task()
            assert task is not None
            task.set_name(f"web server {self._config.name}: {route}")
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)
            try:
                guard = self._guard(f"the handler of {route}")
                with guard, expected_body(request, self._config.idle_seconds):
                    return _checked(await route.handler(request))
            except web.HTTPException:
                raise  # an answer, too
            except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on
                return self._failed(route, request, error)

        return handle

    def _failed(self, route: WebRoute, request: web.Request, error: Exception) -> web.Response:
        """What a client is told whose handler failed."""
        if self._is_the_clients(request, error):
            return web.Response(status=400)
        self._reports.report(f"the handler of {route} failed", traceback_text(error))
        if request.transport is not None and request.writer.output_size > 0:
            request.transport.abort()  # a half answer must not look like a whole one
        return web.Response(status=500, text="500: Internal Server Error")

    def _is_the_clients(self, request: web.Request, error: Exception) -> bool:
        """Whether a handler failed because its client sent no HTTP, or is not there any more."""
        if isinstance(error, ConnectionError | WSMessageTypeError):
            transport = request.transport
            return transport is None or transport.is_closing() or self._websockets.are_closed
        return isinstance(error, web.RequestPayloadError)


def _checked(response: object) -> web.StreamResponse:
    """What a handler returned, where that is an answer."""
    if isinstance(response, web.StreamResponse):
        return response
    raise TypeError(f"the handler returned {type(response).__name__}, no aiohttp.web.Response")


class _Reports:
    """What a server tells, at a bounded rate: its handlers' faults, and what aiohttp logs.

    To aiohttp it is a logger. What that logs is what clients do wrong, which is nobody's problem
    here, and holds what they sent: only its class is logged.
    """

    def __init__(self, server_name: str, report: Callable[[str, str], None]) -> None:
        self._server = f"web server '{server_name}'"
        self._report = report
        self._rate = ReportRate()

    def report(self, what: str, details: str) -> None:
        """Report a problem that every request may meet."""
        told = self._rate.told(time.monotonic(), what, details)
        if told is not None:
            self._report(f"{self._server}: {what}", told)

    def exception(self, *_message: object, exc_info: object = None, **_options: object) -> None:
        """Take what aiohttp logs of a request that it could not read."""
        what = type(exc_info).__name__
        unreported = self._rate.again(time.monotonic(), f"client: {what}")
        if unreported is not None:
            logger.info("%s: bad request (%s; %d more)", self._server, what, unreported)

    def debug(self, *_message: object, **_options: object) -> None:
        """Drop it."""

    warning = debug
