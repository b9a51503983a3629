"""What was published over a connection and has not left it: how much, how much at most, who waits.

Two things are counted. What is *unsent* waits for the socket. What is *held* waits for the broker's
acknowledgement, written or not (`HeldMessages`). Of either there is a limit in bytes, at which the
connection is given up: this broker takes nothing. Long before that, who sends in bulk waits in
`drained`.
"""

import asyncio
from typing import Any

from gwproactor.links.mqtt.held_messages import HeldMessages

DRAIN_MARK_BYTES = 64 * 1024
"""Unsent bytes above which `drained` waits: about what a socket buffer takes without blocking."""

MAX_UNSENT_BYTES = 64 * 1024 * 1024
"""Unsent bytes at which the connection is given up: this broker sends, but does not read."""

MAX_IN_FLIGHT = 20
"""Messages of QoS 1 and 2 sent at once, less where the broker's Receive Maximum says so."""

MAX_UNACKNOWLEDGED = 10_000
MAX_UNACKNOWLEDGED_BYTES = 64 * 1024 * 1024
"""Messages of QoS 1 and 2 that the broker leaves unacknowledged, and their bytes, at which the
connection is given up: it reads what we send, but does not take it, and all of it is in memory."""

CROWDED_BYTES = 4 * 1024 * 1024
"""Held bytes above which `drained` waits: what a line of 100 Mbit/s and 300 ms holds."""


class SendBacklog:
    """The backlog of one connection. For the loop only."""

    def __init__(self) -> None:
        self.unsent_bytes = 0
        """How much waits for the socket."""
        self.held = HeldMessages[Any]()
        """What waits for the broker; the MQTT package puts in and takes out."""
        self.window = MAX_IN_FLIGHT
        """How many messages of QoS 1 and 2 are sent at once."""
        self._lost = False
        self._waiting: list[asyncio.Future[None]] = []

    def add(self, size_bytes: int, qos: int) -> str:
        """Count a message that is about to be published.

        Returns:
            Why the connection is to be given up instead; empty where it is not.
        """
        self.unsent_bytes += size_bytes
        if self.unsent_bytes > MAX_UNSENT_BYTES:
            return "the broker does not read what we send"
        if qos and not self._may_hold(size_bytes):
            return "the broker does not acknowledge what we send"
        return ""

    def _may_hold(self, further_bytes: int) -> bool:
        held_bytes = self.held.held_bytes + further_bytes
        return len(self.held) < MAX_UNACKNOWLEDGED and held_bytes <= MAX_UNACKNOWLEDGED_BYTES

    def written(self) -> None:
        """Everything was handed to the socket."""
        self.unsent_bytes = 0
        self._wake()

    def read(self) -> None:
        """Something came from the broker, acknowledgements perhaps."""
        if self._waiting and not self._is_crowded():
            self._wake()

    def lost(self) -> None:
        """The connection is gone: nobody waits any more."""
        self._lost = True
        self._wake()

    async def drained(self) -> None:
        """Wait while more than the mark is unsent, or more is held than is taken at once.

        Then until all is sent and there is room, or the connection is lost. Cancel-safe.
        """
        if self.unsent_bytes <= DRAIN_MARK_BYTES and not self._is_crowded():
            return
        while not self._lost and (self.unsent_bytes or self._is_crowded()):
            await self._woken()

    def _is_crowded(self) -> bool:
        """Whether as many messages of QoS 1 and 2 wait their turn as are under way, or too much."""
        return len(self.held) >= 2 * self.window or self.held.held_bytes > CROWDED_BYTES

    async def _woken(self) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(woken)
        try:
            await woken
        finally:
            self._waiting.remove(woken)

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
