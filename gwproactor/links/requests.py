"""Requests whose replies are waited for: which reply belongs to which request.

A request carries MQTT 5 correlation data that nothing else has, and whoever replies sends it back
(MQTT 5, section 4.10.2). Request and reply travel on the ordinary topics of the link.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Iterator

from gwproactor.errors import ConnectionLostError, UsageError
from gwproactor.links.received_message import ReceivedMessage

MAX_OPEN_REQUESTS = 10_000
"""Requests that one link waits for at most; more at once is a program that waits for nobody."""


class Requests:
    """The open requests of one link. For the loop only.

    Args:
        link_name: The link, for error messages.
    """

    def __init__(self, link_name: str) -> None:
        self._link_name = link_name
        self._open: dict[bytes, asyncio.Future[ReceivedMessage]] = {}

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def open(self) -> Iterator[tuple[bytes, "asyncio.Future[ReceivedMessage]"]]:
        """A new request: its correlation data, and its reply to come. Forgotten on exit.

        Raises:
            UsageError: Too many are open.
        """
        if len(self._open) >= MAX_OPEN_REQUESTS:
            raise UsageError(
                f"link '{self._link_name}' waits for {MAX_OPEN_REQUESTS} replies already;"
                " await some before further requests"
            )
        correlation_data = uuid.uuid4().bytes
        reply: asyncio.Future[ReceivedMessage] = asyncio.get_running_loop().create_future()
        self._open[correlation_data] = reply
        try:
            yield correlation_data, reply
        finally:
            self._open.pop(correlation_data, None)
            reply.cancel()

    def answered(self, received: ReceivedMessage) -> bool:
        """Take a message for the reply that it is. Returns False when it is none."""
        correlation_data = received.packet.correlation_data
        if correlation_data is None:
            return False
        reply = self._open.pop(correlation_data, None)
        if reply is None or reply.done():
            return False
        reply.set_result(received)
        return True

    def lost(self) -> None:
        """The connection is gone: no reply to what was asked over it is waited for."""
        for reply in self._open.values():
            if not reply.done():
                text = f"link '{self._link_name}': lost before the reply came"
                reply.set_exception(ConnectionLostError(text))
        self._open.clear()
