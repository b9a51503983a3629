"""The open websockets of a web server: at the stop each client is told that the server goes away.

A handler that waits for messages sees the end of them then, and comes to an end by itself.
"""

import asyncio
import contextlib
import weakref

from aiohttp import WSCloseCode, web


class WebSockets:
    """The websockets of one server. For the event loop's thread.

    Args:
        close_seconds: How long the clients may take to say goodbye in the end.
    """

    def __init__(self, close_seconds: float) -> None:
        self._close_seconds = close_seconds
        self._open: weakref.WeakSet[web.WebSocketResponse] = weakref.WeakSet()
        self.are_closed = False
        """Whether the stop has begun; who writes to one from then on is refused by aiohttp."""

    def look_after(self, app: web.Application) -> None:
        """Look after those of an application of aiohttp, which is not frozen yet."""
        app.on_response_prepare.append(self._note)
        app.on_shutdown.append(self._close)

    async def _note(self, _request: web.Request, response: web.StreamResponse) -> None:
        if isinstance(response, web.WebSocketResponse):
            self._open.add(response)

    async def _close(self, _app: web.Application) -> None:
        self.are_closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._close_seconds):
                closing = [each.close(code=WSCloseCode.GOING_AWAY) for each in tuple(self._open)]
                await asyncio.gather(*closing, return_exceptions=True)
