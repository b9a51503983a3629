"""In which order received packets are acknowledged to the broker. Pure.

A packet of QoS 1 or 2 is acknowledged when what it says has been processed. MQTT wants
acknowledgements in the order of the packets (MQTT 5, 4.6.0-2 and 4.6.0-4), so one that is processed
early waits for those before it. How many may wait is bounded by Receive Maximum: at that number the
broker holds further messages back, which is what is wanted of a receiver that cannot keep up.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

P = TypeVar("P")


class PacketAcks(Generic[P]):
    """The packets of one connection that are not acknowledged yet.

    Args:
        acknowledge: Called with each packet whose turn has come.
    """

    def __init__(self, acknowledge: Callable[[P], None]) -> None:
        self._acknowledge = acknowledge
        self._open: deque[P] = deque()
        self._done: set[int] = set()

    def __len__(self) -> int:
        return len(self._open)

    def taken(self, packet: P) -> None:
        """Take note that a packet came; call in the order in which they come."""
        self._open.append(packet)

    def done(self, packet: P) -> None:
        """Take note that a packet was processed; acknowledges what can be by now."""
        self._done.add(id(packet))
        while self._open and id(self._open[0]) in self._done:
            first = self._open.popleft()
            self._done.discard(id(first))
            self._acknowledge(first)
