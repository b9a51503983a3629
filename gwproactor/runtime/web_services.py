"""What a proactor does with its web servers: adding them and their routes, and finding them."""

from typing import Any

from gwproactor.interfaces import WebHandler
from gwproactor.web.server_config import LOOPBACK
from gwproactor.web.servers import WebServers


class WebServices:
    """The part of a proactor that is about web servers. For the event loop's thread."""

    _web: WebServers

    def add_web_server_config(
        self, name: str, host: str = LOOPBACK, port: int = 0, **kwargs: Any
    ) -> None:
        """Add a web server, which is started and stopped with the proactor.

        Args:
            name: What routes call it.
            host: The address to listen on, or a name for it. Programs of other machines reach it
                only where one of theirs is given; `0.0.0.0` or `::` stand for all.
            port: The port; 0 for any free one, see `web_server_port`.
            kwargs: The other options of `gwproactor.web.WebServerConfig`:
                `ssl_context`, `max_connections`, `max_body_bytes` and so on.

        Raises:
            UsageError: There is a server of that name, or at that address, or an option cannot
                work, or the proactor was started.
            MissingExtraError: aiohttp is not installed; the message says how that is done.
        """
        self._web.add_config(name, host, port, **kwargs)

    def add_web_route(
        self, server_name: str, method: str, path: str, handler: WebHandler, **kwargs: Any
    ) -> None:
        """Add a route to a web server, which answers from the start on.

        Where nobody configures such a server, before or after, the route is ignored; the log says
        so at the start.

        Args:
            server_name: The web server.
            method: `GET`, `POST` and so on; `*` for all.
            path: The path, with variables where it has some: `/room/{name}`.
            handler: `async def handler(request: aiohttp.web.Request)`, which returns an
                `aiohttp.web.Response`; a class derived from `aiohttp.web.View` serves too. What it
                raises becomes a problem event, and the client is answered with 500.
            kwargs: `name`, by which aiohttp's router finds the path; `allow_head=False` for a GET
                route that does not answer HEAD.

        Raises:
            UsageError: There is such a route, or the method or path is none, or the handler is no
                coroutine function, or the proactor was started.
        """
        self._web.add_route(server_name, method, path, handler, **kwargs)

    def web_server_port(self, name: str) -> int:
        """The port that a web server listens on, also where it was to be any free one.

        Raises:
            UsageError: There is no such server.
            NotRunningError: It does not run.
        """
        return self._web.port(name)

    def web_server_url(self, name: str) -> str:
        """Where programs of this machine reach a web server, as `http://127.0.0.1:8080`.

        Raises:
            UsageError: There is no such server.
            NotRunningError: It does not run.
        """
        return self._web.url(name)
