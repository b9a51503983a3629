"""Bodies of requests that do not come: who waits for one gets 408, and its client too.

aiohttp waits for a body as long as its connection lasts. A client that begins one and does not go
on would hold one of the connections, and a handler, for ever.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from aiohttp import web


@contextlib.contextmanager
def expected_body(request: web.Request, idle_seconds: float) -> Iterator[None]:
    """See to it that the body of a request goes on while its handler runs. For the loop's thread.

    Args:
        request: The request; one without a body is left alone.
        idle_seconds: So long nothing of it may come, unless the handler is what is slow.
    """
    if not request.can_read_body:
        yield
        return
    watch = _BodyWatch(request, idle_seconds)
    try:
        yield
    finally:
        watch.end()


def call_later(seconds: float, look: Callable[[], None]) -> asyncio.TimerHandle:
    """Look after a while; a test may look when it wants to."""
    return asyncio.get_running_loop().call_later(seconds, look)


class _BodyWatch:
    """Looks again and again whether more has come."""

    def __init__(self, request: web.Request, idle_seconds: float) -> None:
        self._request = request
        self._idle_seconds = idle_seconds
        self._seen_bytes = request.content.total_bytes
        self._timer = call_later(idle_seconds, self._look)

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        content, transport = self._request.content, self._request.transport
        if content.is_eof() or transport is None:
            return
        # aiohttp reads no further while the handler leaves what came; then the client may not go on
        if content.total_bytes == self._seen_bytes and transport.is_reading():
            content.set_exception(web.HTTPRequestTimeout())
            return
        self._seen_bytes = content.total_bytes
        self._timer = call_later(self._idle_seconds, self._look)
